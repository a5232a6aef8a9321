// Numbers of the system calls that sandbox/seccomp.ts names, for x86-64 and arm64 (linux/unistd.h).

export type Architecture = 'x64' | 'arm64';

/** fchmodat2 of Linux 6.6. Later calls are unknown here and answered as by an older kernel. */
export const NEWEST_CALL = 452;

/** name: [x86-64, arm64]; null where the machine has no such call. */
const REFUSED: Readonly<Record<string, readonly [number, number | null]>> = {
  // namespaces and mounts
  unshare: [272, 97],
  setns: [308, 268],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  chroot: [161, 51],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  mount_setattr: [442, 442],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  // the machine
  swapon: [167, 224],
  swapoff: [168, 225],
  reboot: [169, 142],
  kexec_load: [246, 104],
  kexec_file_load: [320, 294],
  init_module: [175, 105],
  finit_module: [313, 273],
  delete_module: [176, 106],
  acct: [163, 89],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  syslog: [103, 116],
  settimeofday: [164, 170],
  clock_settime: [227, 112],
  adjtimex: [159, 171],
  clock_adjtime: [305, 266],
  sethostname: [170, 161],
  setdomainname: [171, 162],
  vhangup: [153, 58],
  fanotify_init: [300, 262],
  lookup_dcookie: [212, 18],
  nfsservctl: [180, 42],
  uselib: [134, null],
  sysfs: [139, null],
  _sysctl: [156, null],
  iopl: [172, null],
  ioperm: [173, null],
  modify_ldt: [154, null],
  // other processes, keys, and wide doors into the kernel
  ptrace: [101, 117],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  pidfd_getfd: [438, 438],
  move_pages: [279, 239],
  keyctl: [250, 219],
  add_key: [248, 217],
  request_key: [249, 218],
  bpf: [321, 280],
  perf_event_open: [298, 241],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  // memory that belongs to no process
  memfd_create: [319, 279],
  memfd_secret: [447, 447],
  shmget: [29, 194],
  msgget: [68, 186],
  semget: [64, 190],
  mq_open: [240, 180],
};

export interface CallNumbers {
  architecture: Architecture;
  refused: number[];
  withStructs: number[];
  clone: number;
  ioctl: number;
  socket: number;
  /** Calls that set a file's mode: which argument it is, and for those that may open a file only, their flags. */
  withMode: readonly (readonly [call: number, mode: number, flags?: number])[];
}

export function callNumbers(machine: string): CallNumbers | undefined {
  if (machine === 'x64') {
    return {
      architecture: 'x64',
      refused: Object.values(REFUSED).map(([x64]) => x64),
      withStructs: [435, 437], // clone3, openat2
      clone: 56,
      ioctl: 16,
      socket: 41,
      // chmod, fchmod, fchmodat, fchmodat2, open, openat, creat, mknod, mknodat
      withMode: [[90, 1], [91, 1], [268, 2], [452, 2], [2, 2, 1], [257, 3, 2], [85, 1], [133, 1], [259, 2]], // prettier-ignore
    };
  }
  if (machine === 'arm64') {
    return {
      architecture: 'arm64',
      refused: Object.values(REFUSED).flatMap(([, arm64]) => arm64 ?? []),
      withStructs: [435, 437],
      clone: 220,
      ioctl: 29,
      socket: 198,
      // fchmod, fchmodat, fchmodat2, openat, mknodat
      withMode: [[52, 1], [53, 2], [452, 2], [56, 3, 2], [33, 2]], // prettier-ignore
    };
  }
  return undefined;
}
