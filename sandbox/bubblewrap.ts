// How a command is put into bubblewrap: what it sees of this machine, and what stands around it.
import { accessSync, constants, existsSync, lstatSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { seccompProgram } from './seccomp.js';
import { workspaceOwner } from './workspaceOwner.js';
import type { ShellLimits } from '../contracts/sandboxLimits.js';

/** What this machine has for a sandbox; found once. */
export interface SandboxHost {
  bwrap: string;
  seccomp: Buffer;
  /** For a worker that is root: whom commands run as, and where their workspace is mounted for that user. */
  user?: { uid: number; gid: number; mountPoint: string };
}

export type FoundHost = { ok: true; host: SandboxHost } | { ok: false; reason: string };

const MOUNT_POINTS = ['/mnt', '/media', '/srv', '/opt'];

/** Where the workspace is inside. */
export const WORKSPACE = '/workspace';
/** Room in /tmp and in /dev/shm, in bytes: both are memory. */
const TMP_BYTES = 64 * 1024 * 1024;
const SHM_BYTES = 8 * 1024 * 1024;

/** Files that bwrap reads from descriptors of their own. */
export const descriptors = { seccomp: 3, status: 4, command: 5, passwd: 6, group: 7 } as const;
const COMMAND_FILE = '/run/command';

export function findSandboxHost(env: { PATH?: string | undefined } = process.env): FoundHost {
  if (process.platform !== 'linux') return missing(`bubblewrap is for Linux, and this is ${process.platform}`);
  const bwrap = onPath('bwrap', env.PATH ?? '');
  if (bwrap === undefined)
    return missing('bubblewrap is not installed (no bwrap on PATH); install the package bubblewrap');
  const seccomp = seccompProgram(process.arch);
  if (!seccomp) return missing(`there is no list of system calls for ${process.arch}; use x64 or arm64`);
  // As root the limit on processes would not count, and /proc/sys of the whole machine could be written.
  const user = workspaceOwner();
  if (!user) return { ok: true, host: { bwrap, seccomp } };
  const mountPoint = MOUNT_POINTS.find((dir) => existsSync(dir));
  if (mountPoint === undefined) return missing(`none of ${MOUNT_POINTS.join(', ')} exists to mount a workspace on`);
  return { ok: true, host: { bwrap, seccomp, user: { ...user, mountPoint } } };
}

const missing = (reason: string): FoundHost => ({ ok: false, reason });

function onPath(program: string, searched: string): string | undefined {
  return searched
    .split(path.delimiter)
    .filter((dir) => path.isAbsolute(dir))
    .map((dir) => path.join(dir, program))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

export interface SandboxedCommand {
  file: string;
  args: string[];
}

/** `covered`: folders of the workspace that stay out of reach. They must exist. */
export function sandboxedCommand(
  host: SandboxHost,
  workspace: string,
  covered: readonly string[],
  limits: ShellLimits,
): SandboxedCommand {
  const source = host.user?.mountPoint ?? workspace;
  const args = [...aroundIt(), ...systemFiles(), ...workspaceMounts(source, covered), ...lastWords()];
  const inside = [...bash(PIPES_ONLY), String(process.pid), host.bwrap, ...args, '--', ...limited(limits)];
  const whole = [...DIES_WITH_WORKER, '--', ...(host.user ? asUser(host.user, workspace) : []), ...inside];
  return { file: whole[0] as string, args: whole.slice(1) };
}

/** Until bwrap sees to it itself. Each of these programs becomes the next one, so it holds for all of them. */
const DIES_WITH_WORKER = ['/usr/bin/setpriv', '--pdeathsig=KILL'];

const bash = (script: string): string[] => ['/usr/bin/bash', '--noprofile', '--norc', '-c', script, 'bash'];

/**
 * Node gives sockets, and a command that writes to /dev/stdout needs a pipe. What the worker itself was started with
 * may be open in it, and would be in all its children.
 */
const PIPES_ONLY = `[ "$PPID" = "$1" ] || exit 1 # the worker died before anything could notice
shift
exec > >(exec /usr/bin/cat) 2> >(exec /usr/bin/cat >&2)
for file in /proc/self/fd/*; do
  n=\${file##*/}
  [ "$n" -gt ${Math.max(...Object.values(descriptors))} ] && eval "exec $n>&-"
done
exec "$@"`;

/** In a mount namespace of its own: the workspace may lie where that user cannot go. */
const asUser = ({ uid, gid, mountPoint }: NonNullable<SandboxHost['user']>, workspace: string): string[] => [
  '/usr/bin/unshare',
  '--mount',
  '--propagation',
  'private',
  '--',
  ...bash('/usr/bin/mount --bind -- "$1" "$2" && shift 2 && exec "$@"'),
  workspace,
  mountPoint,
  ...DIES_WITH_WORKER, // another user's process forgets it
  `--reuid=${uid}`,
  `--regid=${gid}`,
  '--clear-groups',
  '--',
];

const aroundIt = (): string[] => [
  '--unshare-user',
  '--unshare-pid',
  '--unshare-net',
  '--unshare-ipc',
  '--unshare-uts',
  '--unshare-cgroup-try',
  '--disable-userns',
  '--die-with-parent',
  '--new-session',
  '--cap-drop',
  'ALL',
  '--uid',
  '1000',
  '--gid',
  '1000',
  '--hostname',
  'sandbox',
  '--seccomp',
  String(descriptors.seccomp),
  '--json-status-fd',
  String(descriptors.status),
  '--clearenv',
  ...Object.entries(ENVIRONMENT).flatMap(([name, value]) => ['--setenv', name, value]),
];

const ENVIRONMENT = {
  PATH: '/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin',
  HOME: WORKSPACE,
  USER: 'agent',
  LOGNAME: 'agent',
  SHELL: '/bin/bash',
  TMPDIR: '/tmp',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
};

/** /usr, and no more of /etc than programs need to start. */
function systemFiles(): string[] {
  return [
    '--ro-bind', '/usr', '/usr',
    ...['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'].flatMap(systemFolder),
    '--dir', '/etc',
    ...['/etc/alternatives', '/etc/ld.so.cache'].flatMap((file) => ['--ro-bind-try', file, file]),
    '--file', String(descriptors.passwd), '/etc/passwd',
    '--file', String(descriptors.group), '/etc/group',
    '--dir', '/run',
    '--file', String(descriptors.command), COMMAND_FILE,
    '--proc', '/proc',
    // bwrap leaves this writable for a process whose user is the machine's root.
    '--ro-bind', '/proc/sys', '/proc/sys',
    ...MASKED.filter((file) => existsSync(file)).flatMap((file) => mask(file)),
    '--dev', '/dev',
    '--size', String(SHM_BYTES), '--tmpfs', '/dev/shm',
    '--size', String(TMP_BYTES), '--tmpfs', '/tmp',
  ]; // prettier-ignore
}

/** What container engines hide of /proc as well: of the machine, not of the sandbox. */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/fs',
  '/proc/kcore',
  '/proc/keys',
  '/proc/key-users',
  '/proc/kallsyms',
  '/proc/kmsg',
  '/proc/latency_stats',
  '/proc/modules',
  '/proc/mtrr',
  '/proc/pressure',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/sysrq-trigger',
  '/proc/timer_list',
  '/proc/timer_stats',
];

const mask = (file: string): string[] =>
  lstatSync(file).isDirectory() ? ['--size', '4096', '--tmpfs', file, '--remount-ro', file] : ['--ro-bind', '/dev/null', file]; // prettier-ignore

/** A link into /usr on most systems, a folder of its own on others. */
function systemFolder(dir: string): string[] {
  try {
    return lstatSync(dir).isSymbolicLink() ? ['--symlink', readlinkSync(dir), dir] : ['--ro-bind', dir, dir];
  } catch {
    return [];
  }
}

const workspaceMounts = (source: string, covered: readonly string[]): string[] => [
  '--bind',
  source,
  WORKSPACE,
  ...covered.flatMap((name) => {
    const inside = path.posix.join(WORKSPACE, name);
    return ['--size', '4096', '--tmpfs', inside, '--remount-ro', inside];
  }),
];

// Both are memory of this machine that a command could fill: bwrap makes them writable.
const lastWords = (): string[] => ['--remount-ro', '/dev', '--remount-ro', '/', '--chdir', WORKSPACE];

/** Runs inside: soft and hard limits, first in line when memory is short, and an end even when nobody is left to kill it. */
function limited(limits: ShellLimits): string[] {
  const both = (n: number): string => `${Math.ceil(n)}:${Math.ceil(n)}`;
  return [
    '/usr/bin/choom', '-n', '1000', '--',
    '/usr/bin/nice', '-n', '10',
    '/usr/bin/prlimit',
    '--core=0:0',
    `--data=${both(limits.memoryBytes)}`,
    `--cpu=${both(limits.cpuSeconds)}`,
    `--nproc=${both(limits.processes)}`,
    `--fsize=${both(limits.fileBytes)}`,
    `--nofile=${both(MAX_OPEN_FILES)}`,
    '--memlock=0:0', '--msgqueue=0:0', '--sigpending=256:256',
    '--',
    '/usr/bin/timeout', '--signal=KILL', String(Math.ceil(limits.timeoutMs / 1000) + 10),
    '/usr/bin/bash', '--noprofile', '--norc', COMMAND_FILE,
  ]; // prettier-ignore
}

const MAX_OPEN_FILES = 256;
