BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL
);
INSERT INTO "alembic_version" VALUES('e43177bfe90b');
CREATE TABLE assignment (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	duedate DATETIME, 
	course_id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name), 
	FOREIGN KEY(course_id) REFERENCES course (id)
);
INSERT INTO "assignment" VALUES('cf0bf79771a64691b5b785cceadd18d7','ps1',NULL,'plain');
CREATE TABLE base_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	notebook_id VARCHAR(32) NOT NULL, 
	type VARCHAR(50), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id, type), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "base_cell" VALUES('28ec18b5ad594db1a31db611d5e03a05','correct_squares','b528ca08b1674736affa31b1510ea58d','GradeCell');
INSERT INTO "base_cell" VALUES('5ac9f1212b064ec2aa4a3ca9d61b45c1','uses_squares','b528ca08b1674736affa31b1510ea58d','GradeCell');
INSERT INTO "base_cell" VALUES('d9798383d78d437ab8df46d3d4002389','squares_function','b528ca08b1674736affa31b1510ea58d','SolutionCell');
INSERT INTO "base_cell" VALUES('93c44d5111c04f9894b50c99f3f063f5','sum_function','b528ca08b1674736affa31b1510ea58d','SolutionCell');
INSERT INTO "base_cell" VALUES('78c8dfb241fc47e0b6d7f24d56c1ef6f','correct_word','e5299d15bb6447a3aaa58db3b4dc6610','GradeCell');
INSERT INTO "base_cell" VALUES('c67df2aae5054afbb049c835aeaa3367','why_word','e5299d15bb6447a3aaa58db3b4dc6610','GradeCell');
INSERT INTO "base_cell" VALUES('5a160b3a01b54891bfb6c816772d5f66','word_function','e5299d15bb6447a3aaa58db3b4dc6610','SolutionCell');
INSERT INTO "base_cell" VALUES('93083f15f1c94360ba32817c4ca2c74b','why_word','e5299d15bb6447a3aaa58db3b4dc6610','SolutionCell');
INSERT INTO "base_cell" VALUES('d6408223e97a46eea45c6a184d04b9c6','draw_word','e5299d15bb6447a3aaa58db3b4dc6610','TaskCell');
CREATE TABLE comment (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_comment TEXT, 
	manual_comment TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "comment" VALUES('2992ae3a82e2aff6a8b30452cde11955','b733992d6141a5306211d7ccd9d026f9','d9798383d78d437ab8df46d3d4002389',NULL,NULL);
INSERT INTO "comment" VALUES('7540bc1cfe408c5c92bc3fa9d402af14','b733992d6141a5306211d7ccd9d026f9','93c44d5111c04f9894b50c99f3f063f5',NULL,NULL);
INSERT INTO "comment" VALUES('3ddf89142ce38cbc129133f64548b520','f42626a863b96ac27da25a3bfb7f05ca','5a160b3a01b54891bfb6c816772d5f66',NULL,NULL);
INSERT INTO "comment" VALUES('9c4303994a769873b3618770a591398e','f42626a863b96ac27da25a3bfb7f05ca','93083f15f1c94360ba32817c4ca2c74b',NULL,NULL);
INSERT INTO "comment" VALUES('d7a1ebbd426b9b58bfde8b081ec76e35','f42626a863b96ac27da25a3bfb7f05ca','d6408223e97a46eea45c6a184d04b9c6',NULL,'A nice one.');
INSERT INTO "comment" VALUES('b6faa01689ff6899eefb16cea46735d5','fd2b1eff13bbfa3e7bb918bec98da2ef','d9798383d78d437ab8df46d3d4002389',NULL,NULL);
INSERT INTO "comment" VALUES('b317102778dbd49f2ca70f3bc7700bb3','fd2b1eff13bbfa3e7bb918bec98da2ef','93c44d5111c04f9894b50c99f3f063f5',NULL,NULL);
INSERT INTO "comment" VALUES('e49097fe7ab2717b04df7b85425869f4','8b1869e2f9bfbcd55c8688689f8aacfe','5a160b3a01b54891bfb6c816772d5f66',NULL,NULL);
INSERT INTO "comment" VALUES('10604fb5955a24b2f170a471c5ddee69','8b1869e2f9bfbcd55c8688689f8aacfe','93083f15f1c94360ba32817c4ca2c74b',NULL,NULL);
INSERT INTO "comment" VALUES('d134791047be93078adef7b2bb1b35f5','8b1869e2f9bfbcd55c8688689f8aacfe','d6408223e97a46eea45c6a184d04b9c6',NULL,NULL);
CREATE TABLE course (
	id VARCHAR(128) NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (id)
);
INSERT INTO "course" VALUES('plain');
INSERT INTO "course" VALUES('default_course');
CREATE TABLE examiner_entered (
	id VARCHAR(32) NOT NULL, 
	sheet VARCHAR(64) NOT NULL, 
	PRIMARY KEY (id)
);
INSERT INTO "examiner_entered" VALUES('5fadd77ef13b0f0cbaca22ea01ba03e6','438f258d8e2af5fc32b732b82fabbebff9a1e45420c13a72e41acd233cbd3e16');
INSERT INTO "examiner_entered" VALUES('5cc2dd48049519010794273535947e90','f3d1e8222c3bd56056b8b5991a91170e7ede4f956d62c212a8ac883dea95b07c');
CREATE TABLE grade (
	id VARCHAR(32) NOT NULL, 
	notebook_id VARCHAR(32), 
	cell_id VARCHAR(32), 
	auto_score FLOAT, 
	manual_score FLOAT, 
	extra_credit FLOAT, 
	needs_manual_grade BOOLEAN NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (cell_id, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES submitted_notebook (id), 
	FOREIGN KEY(cell_id) REFERENCES base_cell (id)
);
INSERT INTO "grade" VALUES('00a5152d794ebc63a0deeb54dafc571d','b733992d6141a5306211d7ccd9d026f9','28ec18b5ad594db1a31db611d5e03a05',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('da62c2fc2c01bc04da0afeec703db6f2','b733992d6141a5306211d7ccd9d026f9','5ac9f1212b064ec2aa4a3ca9d61b45c1',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('0f549ed749d4c98940bce4e6dde0ea46','f42626a863b96ac27da25a3bfb7f05ca','78c8dfb241fc47e0b6d7f24d56c1ef6f',1.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('8a606a65330496c5d07d63e7755cbbee','f42626a863b96ac27da25a3bfb7f05ca','c67df2aae5054afbb049c835aeaa3367',NULL,NULL,NULL,1);
INSERT INTO "grade" VALUES('d7a1ebbd426b9b58bfde8b081ec76e35','f42626a863b96ac27da25a3bfb7f05ca','d6408223e97a46eea45c6a184d04b9c6',NULL,1.5,NULL,0);
INSERT INTO "grade" VALUES('49f52e3695764ab7076e6fe9cdadce05','fd2b1eff13bbfa3e7bb918bec98da2ef','28ec18b5ad594db1a31db611d5e03a05',2.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('cdebedfa4feb73f3649ffd79d8b17fdd','fd2b1eff13bbfa3e7bb918bec98da2ef','5ac9f1212b064ec2aa4a3ca9d61b45c1',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('07841b98db151fb6661ae6882848ba26','8b1869e2f9bfbcd55c8688689f8aacfe','78c8dfb241fc47e0b6d7f24d56c1ef6f',0.0,NULL,NULL,0);
INSERT INTO "grade" VALUES('2c5d5050717be54ec3c67b325a7562eb','8b1869e2f9bfbcd55c8688689f8aacfe','c67df2aae5054afbb049c835aeaa3367',NULL,NULL,NULL,1);
INSERT INTO "grade" VALUES('d134791047be93078adef7b2bb1b35f5','8b1869e2f9bfbcd55c8688689f8aacfe','d6408223e97a46eea45c6a184d04b9c6',NULL,NULL,NULL,1);
CREATE TABLE grade_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "grade_cells" VALUES('28ec18b5ad594db1a31db611d5e03a05',2.0,'code');
INSERT INTO "grade_cells" VALUES('5ac9f1212b064ec2aa4a3ca9d61b45c1',1.0,'code');
INSERT INTO "grade_cells" VALUES('78c8dfb241fc47e0b6d7f24d56c1ef6f',1.0,'code');
INSERT INTO "grade_cells" VALUES('c67df2aae5054afbb049c835aeaa3367',2.0,'markdown');
CREATE TABLE notebook (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	assignment_id VARCHAR(32), 
	kernelspec VARCHAR(1024), 
	PRIMARY KEY (id), 
	UNIQUE (name, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id)
);
INSERT INTO "notebook" VALUES('b528ca08b1674736affa31b1510ea58d','squares','cf0bf79771a64691b5b785cceadd18d7','{"display_name": "Python 3", "language": "python", "name": "python3"}');
INSERT INTO "notebook" VALUES('e5299d15bb6447a3aaa58db3b4dc6610','words','cf0bf79771a64691b5b785cceadd18d7','{"display_name": "Python 3", "language": "python", "name": "python3"}');
CREATE TABLE solution_cells (
	id VARCHAR(32) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "solution_cells" VALUES('d9798383d78d437ab8df46d3d4002389');
INSERT INTO "solution_cells" VALUES('93c44d5111c04f9894b50c99f3f063f5');
INSERT INTO "solution_cells" VALUES('5a160b3a01b54891bfb6c816772d5f66');
INSERT INTO "solution_cells" VALUES('93083f15f1c94360ba32817c4ca2c74b');
CREATE TABLE source_cell (
	id VARCHAR(32) NOT NULL, 
	name VARCHAR(128) NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	locked BOOLEAN NOT NULL, 
	source TEXT, 
	checksum VARCHAR(128), 
	notebook_id VARCHAR(32), 
	PRIMARY KEY (id), 
	UNIQUE (name, notebook_id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "source_cell" VALUES('48b77dff9f01cb7bfb38a351dceab296','squares_function','code',0,'def squares(n):
    # YOUR CODE HERE
    raise NotImplementedError()','2ec5a23aa5b9bb0377be252995433de3','b528ca08b1674736affa31b1510ea58d');
INSERT INTO "source_cell" VALUES('2788b66ac2db32c96d3a2773d686ee1a','sum_function','code',0,'def sum_of_squares(n):
    # YOUR CODE HERE
    raise NotImplementedError()','3ed38e504e0452802231b780010acc38','b528ca08b1674736affa31b1510ea58d');
INSERT INTO "source_cell" VALUES('ae60dcbe94ace034dab37d35b017865d','correct_squares','code',1,'assert squares(2) == [1, 4]
### BEGIN HIDDEN TESTS
assert squares(3) == [1, 4, 9]
### END HIDDEN TESTS','d63bb437fca0a614bca5e039b543e8c0','b528ca08b1674736affa31b1510ea58d');
INSERT INTO "source_cell" VALUES('c001f4f377e5f048e4d6a3bf854bd233','uses_squares','code',1,'kept = squares
del squares
try:
    sum_of_squares(1)
except NameError:
    pass
else:
    raise AssertionError("sum_of_squares does not use squares")
finally:
    squares = kept','5a4eb0a5deccc9eaaf37d14025740ef1','b528ca08b1674736affa31b1510ea58d');
INSERT INTO "source_cell" VALUES('9aeb0b474c72213007f2c3381ba93c93','word_function','code',0,'def word():
    # YOUR CODE HERE
    raise NotImplementedError()','713e6520a8073880058e02538a5ed3f2','e5299d15bb6447a3aaa58db3b4dc6610');
INSERT INTO "source_cell" VALUES('8ebd429b998ac7393f6547607249e0b7','correct_word','code',1,'assert word() == "word"','fbc300c2ebf678093ca0a3a4ea9d3a62','e5299d15bb6447a3aaa58db3b4dc6610');
INSERT INTO "source_cell" VALUES('55035250926d2ac2db61c92e2afa7b84','why_word','markdown',0,'YOUR ANSWER HERE','7cb5abf6c2a3b3ce3096259b1cbef937','e5299d15bb6447a3aaa58db3b4dc6610');
INSERT INTO "source_cell" VALUES('046e8102992ff7c51e106eb4a5133a78','draw_word','markdown',1,'Draw it, and say how you did.','4999f25f9ef2d11c180ff12a79ede724','e5299d15bb6447a3aaa58db3b4dc6610');
CREATE TABLE student (
	id VARCHAR(128) NOT NULL, 
	first_name VARCHAR(128), 
	last_name VARCHAR(128), 
	email VARCHAR(128), 
	lms_user_id VARCHAR(128), 
	PRIMARY KEY (id)
);
INSERT INTO "student" VALUES('bitdiddle',NULL,NULL,NULL,NULL);
INSERT INTO "student" VALUES('hacker',NULL,NULL,NULL,NULL);
CREATE TABLE submitted_assignment (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	student_id VARCHAR(128), 
	timestamp DATETIME, 
	extension DATETIME, 
	PRIMARY KEY (id), 
	UNIQUE (assignment_id, student_id), 
	FOREIGN KEY(assignment_id) REFERENCES assignment (id), 
	FOREIGN KEY(student_id) REFERENCES student (id)
);
INSERT INTO "submitted_assignment" VALUES('5fadd77ef13b0f0cbaca22ea01ba03e6','cf0bf79771a64691b5b785cceadd18d7','bitdiddle','2026-09-02 08:00:00.250000',NULL);
INSERT INTO "submitted_assignment" VALUES('5cc2dd48049519010794273535947e90','cf0bf79771a64691b5b785cceadd18d7','hacker',NULL,NULL);
CREATE TABLE submitted_notebook (
	id VARCHAR(32) NOT NULL, 
	assignment_id VARCHAR(32), 
	notebook_id VARCHAR(32), 
	flagged BOOLEAN, 
	late_submission_penalty FLOAT, 
	PRIMARY KEY (id), 
	UNIQUE (notebook_id, assignment_id), 
	FOREIGN KEY(assignment_id) REFERENCES submitted_assignment (id), 
	FOREIGN KEY(notebook_id) REFERENCES notebook (id)
);
INSERT INTO "submitted_notebook" VALUES('b733992d6141a5306211d7ccd9d026f9','5fadd77ef13b0f0cbaca22ea01ba03e6','b528ca08b1674736affa31b1510ea58d',0,NULL);
INSERT INTO "submitted_notebook" VALUES('f42626a863b96ac27da25a3bfb7f05ca','5fadd77ef13b0f0cbaca22ea01ba03e6','e5299d15bb6447a3aaa58db3b4dc6610',0,NULL);
INSERT INTO "submitted_notebook" VALUES('fd2b1eff13bbfa3e7bb918bec98da2ef','5cc2dd48049519010794273535947e90','b528ca08b1674736affa31b1510ea58d',0,NULL);
INSERT INTO "submitted_notebook" VALUES('8b1869e2f9bfbcd55c8688689f8aacfe','5cc2dd48049519010794273535947e90','e5299d15bb6447a3aaa58db3b4dc6610',0,NULL);
CREATE TABLE task_cells (
	id VARCHAR(32) NOT NULL, 
	max_score FLOAT NOT NULL, 
	cell_type VARCHAR(8) NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(id) REFERENCES base_cell (id)
);
INSERT INTO "task_cells" VALUES('d6408223e97a46eea45c6a184d04b9c6',2.0,'markdown');
COMMIT;
