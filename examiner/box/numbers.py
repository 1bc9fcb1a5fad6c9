"""The numbers of system calls, on the two architectures that the walls are written for."""

import platform
from typing import Final

MACHINE: Final = platform.machine()

# Name, number on x86-64, number on aarch64; a dash where the machine never had it.
_TABLE: Final = """\
acct 163 89
add_key 248 217
adjtimex 159 171
bpf 321 280
capget 125 90
capset 126 91
chmod 90 -
chown 92 -
chroot 161 51
clock_adjtime 305 266
clock_settime 227 112
clone 56 220
clone3 435 435
close_range 436 436
connect 42 203
delete_module 176 106
fallocate 285 47
fanotify_init 300 262
fchmod 91 52
fchmodat 268 53
fchmodat2 452 452
fchown 93 55
fchownat 260 54
fcntl 72 25
finit_module 313 273
fremovexattr 199 16
fsconfig 431 431
fsetxattr 190 7
fsmount 432 432
fsopen 430 430
fspick 433 433
futimesat 261 -
init_module 175 105
inotify_init 253 -
inotify_init1 294 26
io_setup 206 0
io_submit 209 2
io_uring_enter 426 426
io_uring_register 427 427
io_uring_setup 425 425
ioctl 16 29
ioperm 173 -
iopl 172 -
ioprio_set 251 30
kcmp 312 272
kexec_file_load 320 294
kexec_load 246 104
keyctl 250 219
kill 62 129
landlock_add_rule 445 445
landlock_create_ruleset 444 444
landlock_restrict_self 446 446
lchown 94 -
listen 50 201
lookup_dcookie 212 18
lremovexattr 198 15
lsetxattr 189 6
madvise 28 233
mbind 237 235
memfd_create 319 279
memfd_secret 447 447
migrate_pages 256 238
mmap 9 222
modify_ldt 154 -
mount 165 40
mount_setattr 442 442
move_mount 429 429
move_pages 279 239
mq_open 240 180
mq_unlink 241 181
msgctl 71 187
msgget 68 186
msgrcv 70 188
msgsnd 69 189
nfsservctl 180 42
open 2 -
open_by_handle_at 304 265
open_tree 428 428
openat 257 56
openat2 437 437
perf_event_open 298 241
personality 135 92
pidfd_getfd 438 438
pidfd_send_signal 424 424
pivot_root 155 41
prctl 157 167
prlimit64 302 261
process_madvise 440 440
process_mrelease 448 448
process_vm_readv 310 270
process_vm_writev 311 271
ptrace 101 117
quotactl 179 60
quotactl_fd 443 443
reboot 169 142
removexattr 197 14
request_key 249 218
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
sched_setaffinity 203 122
sched_setattr 314 274
sched_setparam 142 118
sched_setscheduler 144 119
semctl 66 191
semget 64 190
semop 65 193
semtimedop 220 192
sendmmsg 307 269
sendmsg 46 211
set_mempolicy 238 237
set_mempolicy_home_node 450 450
setdomainname 171 162
sethostname 170 161
setns 308 268
setpriority 141 140
setsockopt 54 208
settimeofday 164 170
setxattr 188 5
shmat 30 196
shmctl 31 195
shmget 29 194
socket 41 198
socketpair 53 199
splice 275 76
swapoff 168 225
swapon 167 224
symlink 88 -
symlinkat 266 36
syslog 103 116
tee 276 77
tgkill 234 131
tkill 200 130
truncate 76 45
umount2 166 39
unshare 272 97
uselib 134 -
userfaultfd 323 282
utime 132 -
utimensat 280 88
utimes 235 -
vhangup 153 58
vmsplice 278 75
"""


def _column(index: int) -> dict[str, int]:
    rows = (line.split() for line in _TABLE.splitlines())
    return {row[0]: int(row[index]) for row in rows if row[index] != "-"}


NUMBERS: Final = {"x86_64": _column(1), "aarch64": _column(2)}


def number(name: str, machine: str = MACHINE) -> int:
    """Return the number of a system call on an architecture; raise OSError if it is not supported."""
    if machine not in NUMBERS:
        raise OSError(f"the walls are written for {' and '.join(NUMBERS)}, not for {machine}")
    return NUMBERS[machine][name]
