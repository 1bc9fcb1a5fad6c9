"""The platform: releases, grades, explains and exports a course of notebooks."""
