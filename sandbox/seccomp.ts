// The system calls that a sandboxed command may not make, as a classic BPF program for bwrap's --seccomp.
// Namespaces alone leave gaps: AF_VSOCK reaches the hypervisor from any network namespace, memory behind a file
// descriptor counts for no process, and new namespaces, keyrings, BPF and io_uring are where kernels have been broken.
import { constants } from 'node:os';
import { type Architecture, NEWEST_CALL, callNumbers } from './systemCalls.js';

const { EPERM, ENOSYS, EAFNOSUPPORT } = constants.errno;

// linux/seccomp.h, linux/audit.h, linux/filter.h
const ALLOW = 0x7fff0000;
const KILL_PROCESS = 0x80000000;
const fail = (errno: number): number => 0x00050000 | errno;
const AUDIT_ARCH: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
/** Of x86-64's second, 32-bit table of system calls. */
const X32_BIT = 0x40000000;

const LOAD = 0x20;
const RETURN = 0x06;
const IF_EQUAL = 0x15;
const IF_AT_LEAST = 0x35;
const IF_ANY_BIT = 0x45;

/** Offsets in `struct seccomp_data`. Only the low halves of arguments are looked at: both machines are little-endian. */
const CALL = 0;
const ARCH = 4;
const argument = (n: number): number => 16 + 8 * n;

/** UNIX, IPv4 and IPv6. Others, such as AF_VSOCK and AF_NETLINK, are no part of a network namespace or of no use. */
const ADDRESS_FAMILIES = [1, 2, 10];
/** CLONE_NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
const NEW_NAMESPACES = 0x7e020080;
/** S_ISUID and S_ISGID: on the host such a file would run as the worker's user. */
const SET_ID_BITS = 0o6000;
/** O_CREAT and O_TMPFILE */
const CREATING = 0o20000100;
/** TIOCSTI and TIOCLINUX type into a terminal. */
const TERMINAL_INPUT = [0x5412, 0x541c];

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, value: number];

/** The program for this machine; undefined where there is none. */
export function seccompProgram(machine: string): Buffer | undefined {
  const numbers = callNumbers(machine);
  if (!numbers) return undefined;
  const { architecture, refused, ...special } = numbers;
  return assemble([
    [LOAD, 0, 0, ARCH],
    [IF_EQUAL, 1, 0, AUDIT_ARCH[architecture]],
    [RETURN, 0, 0, KILL_PROCESS],
    [LOAD, 0, 0, CALL],
    ...when(IF_AT_LEAST, X32_BIT, fail(EPERM)),
    ...when(IF_AT_LEAST, NEWEST_CALL + 1, fail(ENOSYS)),
    ...refused.flatMap((call) => when(IF_EQUAL, call, fail(EPERM))),
    // Their arguments are behind a pointer; libraries go on with the older call.
    ...special.withStructs.flatMap((call) => when(IF_EQUAL, call, fail(ENOSYS))),
    ...inspect(special.clone, 0, (allow) => [...when(IF_ANY_BIT, NEW_NAMESPACES, fail(EPERM)), allow]),
    ...inspect(special.ioctl, 1, (allow) => [
      ...TERMINAL_INPUT.flatMap((request) => when(IF_EQUAL, request, fail(EPERM))),
      allow,
    ]),
    ...inspect(special.socket, 0, (allow) => [
      ...ADDRESS_FAMILIES.flatMap((family) => when(IF_EQUAL, family, ALLOW)),
      [allow[0], 0, 0, fail(EAFNOSUPPORT)],
    ]),
    ...special.withMode.flatMap(([call, mode, flags]) =>
      inspect(call, flags ?? mode, (allow) => [
        ...(flags === undefined ? [] : ifCreating(mode, allow)),
        ...when(IF_ANY_BIT, SET_ID_BITS, fail(EPERM)),
        allow,
      ]),
    ),
    [RETURN, 0, 0, ALLOW],
  ]);
}

const when = (test: number, value: number, then: number): Instruction[] => [
  [test, 0, 1, value],
  [RETURN, 0, 0, then],
];

/** Looks at an argument of one call; every path in `body` returns. */
function inspect(call: number, index: number, body: (allow: Instruction) => Instruction[]): Instruction[] {
  const looked: Instruction[] = [[LOAD, 0, 0, argument(index)], ...body([RETURN, 0, 0, ALLOW])];
  return [[IF_EQUAL, 0, looked.length, call], ...looked];
}

/** An open without these flags has no mode: whatever stands in its place means nothing. */
const ifCreating = (mode: number, allow: Instruction): Instruction[] => [
  [IF_ANY_BIT, 1, 0, CREATING],
  allow,
  [LOAD, 0, 0, argument(mode)],
];

/** `struct sock_filter`: u16 code, u8 jt, u8 jf, u32 k. */
function assemble(program: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(([code, jumpTrue, jumpFalse, value], i) => {
    bytes.writeUInt16LE(code, i * 8);
    bytes.writeUInt8(jumpTrue, i * 8 + 2);
    bytes.writeUInt8(jumpFalse, i * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, i * 8 + 4);
  });
  return bytes;
}
