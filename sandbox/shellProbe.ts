// Tries to break out of the shell sandbox, as a command in it would: to the network, to files, to other processes, past
// its limits. Nothing is written even where an attempt succeeds: a file is opened for appending, and that is all.
import { once } from 'node:events';
import { chown, mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { SandboxHost } from './bubblewrap.js';
import type { ShellLimits } from '../contracts/sandboxLimits.js';
import { defaultShellLimits } from './limits.js';
import { type Probe, doesNotHold, holds, undecided } from './probe.js';
import { type ShellResult, runShell } from './shell.js';

const MIB = 1024 * 1024;
const LIMITS: ShellLimits = { ...defaultShellLimits, timeoutMs: 20_000, processes: 24, memoryBytes: 96 * MIB };
const NAMESPACES = ['user', 'pid', 'net', 'ipc', 'mnt', 'uts'];

export async function probeShell(host: SandboxHost): Promise<Probe> {
  const folder = await mkdtemp(path.join(tmpdir(), 'longhaul-probe-'));
  const workspace = path.join(folder, 'workspace');
  const canary = path.join(folder, 'canary');
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  try {
    await mkdir(workspace);
    if (host.user) await chown(workspace, host.user.uid, host.user.gid);
    await writeFile(canary, 'seen from inside');
    const port = await listen(server);
    const run = (command: string) => runShell(host, { command, workspace, limits: LIMITS });
    const results = await Promise.all([run(await breakOut(port, canary)), run(FORK), run(FILL_MEMORY)]);
    return verdict(results, connections);
  } catch (err) {
    return doesNotHold(err instanceof Error ? err.message : String(err));
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function verdict([out, fork, memory]: readonly ShellResult[], connections: number): Probe {
  const through = out?.stdout.split('\n').filter((line) => line.startsWith(THROUGH)) ?? [];
  if (connections > 0) through.push(`${THROUGH}a connection arrived at the worker`);
  if (through.length > 0) return doesNotHold(through.map((line) => line.slice(THROUGH.length)).join('; '));
  if ([out, fork, memory].some((result) => result?.ended === 'timeout')) return undecided(TOO_SLOW);
  if (out?.ended !== 'exited' || out.exitCode !== 0 || !out.stdout.includes(DONE)) {
    return doesNotHold(`a command in it did not run: ${says(out)}`);
  }
  if (fork?.stdout.includes(THROUGH) !== false) return doesNotHold('more processes than allowed could be started');
  if (memory?.ended !== 'memory') return doesNotHold(`more memory than allowed could be taken: ${says(memory)}`);
  return holds;
}

const TOO_SLOW = 'its probe did not come to an end in time; it is tried again';

const says = (result: ShellResult | undefined): string =>
  `${result?.ended} ${result?.exitCode ?? ''} ${result?.stderr.slice(0, 300) ?? ''}`.trim();

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const THROUGH = 'through: ';
const DONE = 'every attempt was made';

/** Prints a line for every attempt that succeeds. */
async function breakOut(port: number, canary: string): Promise<string> {
  const namespaces = await Promise.all(
    NAMESPACES.map(async (name) => `inside ${name} '${await readlink(`/proc/self/ns/${name}`)}'`),
  );
  return `
through() { echo "${THROUGH}$1"; }
inside() { [ "$(readlink /proc/self/ns/$1)" = "$2" ] && through "the $1 namespace is the worker's"; }
(exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && through 'a connection to this machine'
[ "$(grep -c : /proc/net/dev)" -gt 1 ] && through 'network interfaces are seen'
[ -e '${canary}' ] && through 'files of this machine are seen'
for dir in /root /home /var /sys /boot; do [ -e "$dir" ] && through "$dir is seen"; done
for dir in / /usr /etc /dev /run /proc/sys/kernel; do
  (: >> "$dir/longhaul-probe") 2>/dev/null && through "$dir can be written"
done
(: >> /proc/sys/kernel/core_pattern) 2>/dev/null && through 'settings of the kernel can be written'
${namespaces.join('\n')}
[ "$(ls -d /proc/[0-9]* | wc -l)" -gt 12 ] && through 'other processes are seen'
grep -qE '^Cap(Eff|Prm|Bnd):.*[1-9a-f]' /proc/self/status && through 'it has capabilities'
grep -q '^NoNewPrivs:.*1' /proc/self/status || through 'it can gain privileges'
grep -q '^Seccomp:.*2' /proc/self/status || through 'its system calls are not filtered'
unshare --user true 2>/dev/null && through 'namespaces can be made'
for name in $(env | sed -n 's/^\\([A-Z_a-z0-9]*\\)=.*/\\1/p'); do
  case $name in PATH|HOME|USER|LOGNAME|SHELL|TMPDIR|LANG|TZ|PWD|SHLVL|_) ;; *) through "the variable $name is seen" ;; esac
done
echo '${DONE}'`;
}

/** Ends at the first process that cannot be started. */
const FORK = `sh -c 'for i in $(seq 1 ${LIMITS.processes + 16}); do sleep 15 & done; echo "${THROUGH}more"' 2>/dev/null; exit 0`;

/** Each of them below the limit, all together above it. They hold what they have until they are ended. */
const FILL_MEMORY = `for i in 1 2 3; do (head -c 48M /dev/zero; sleep 15) | tail > /dev/null & done; wait`;
