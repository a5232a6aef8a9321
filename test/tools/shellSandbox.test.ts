// The shell's sandbox, tried from inside: everything here is what a command would do that wants to get out.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { type AddressInfo, type Server, createServer } from 'node:net';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { removeFolders } from './context.js';
import {
  aToken,
  aWorkspace,
  descendantsOf,
  describeShell,
  inSandbox,
  isRunning,
  processesWith,
  theHost,
  until,
} from './sandboxed.js';

const MIB = 1024 * 1024;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
  removeFolders();
});

/** Counts who comes. */
async function aServer(at: number | string): Promise<{ port: number; came: () => number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  servers.push(server);
  if (typeof at === 'number') server.listen(at, '127.0.0.1');
  else server.listen(at);
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, came: () => connections };
}

describeShell('a command in the sandbox', () => {
  test('runs in the workspace and writes there', async () => {
    const { workspace } = aWorkspace();
    const result = await inSandbox('pwd; echo hello > a.txt; cat a.txt; echo problem >&2; exit 3', workspace);
    expect(result).toEqual({ ended: 'exited', exitCode: 3, stdout: '/workspace\nhello\n', stderr: 'problem\n' });
    expect(readFileSync(path.join(workspace, 'a.txt'), 'utf8')).toBe('hello\n');
  });

  test('has pipes for its output, and no input', async () => {
    const { workspace } = aWorkspace();
    const { stdout, stderr } = await inSandbox('echo a > /dev/stdout; echo b > /dev/stderr; cat', workspace);
    expect([stdout, stderr]).toEqual(['a\n', 'b\n']);
  });

  test('reaches no server of this machine', async () => {
    const { base, workspace } = aWorkspace();
    const tcp = await aServer(0);
    const unix = await aServer(path.join(base, 'socket'));
    const { stdout } = await inSandbox(
      `(exec 3<>/dev/tcp/127.0.0.1/${tcp.port}) 2>/dev/null && echo connected
       (exec 3<>/dev/tcp/169.254.169.254/80) 2>/dev/null && echo connected
       [ -e '${base}/socket' ] && echo seen
       grep -c : /proc/net/dev`,
      workspace,
    );
    expect(stdout).toBe('1\n'); // the loopback device of its own network
    expect([tcp.came(), unix.came()]).toEqual([0, 0]);
  });

  test.each([
    ['AF_NETLINK', 16],
    ['AF_PACKET', 17],
    ['AF_VSOCK, which reaches the hypervisor from every network namespace', 40],
  ])('gets no socket of %s', async (_name, family) => {
    const { workspace } = aWorkspace();
    const { stdout } = await inSandbox(`perl -e 'socket(my $s, ${family}, 1, 0) or print "$!"'`, workspace);
    expect(stdout).toBe('Address family not supported by protocol');
  });

  test('sees nothing of this machine but its programs', async () => {
    const { base, workspace } = aWorkspace();
    writeFileSync(path.join(base, 'secret.txt'), 'secret');
    const { stdout } = await inSandbox(
      `ls -d /root /home /var /sys /boot /srv '${base}' /proc/1/root/root 2>/dev/null
       ls /etc; cat /etc/passwd; cat ../secret.txt /workspace/../secret.txt 2>/dev/null; ls /workspace/..`,
      workspace,
    );
    expect(stdout).not.toContain('secret');
    expect(stdout).not.toContain('root');
    expect(stdout.split('\n').filter((line) => line.startsWith('/'))).toEqual([]);
  });

  test('follows a link of the workspace to nowhere outside', async () => {
    const { base, workspace } = aWorkspace();
    writeFileSync(path.join(base, 'secret.txt'), 'secret');
    symlinkSync(path.join(base, 'secret.txt'), path.join(workspace, 'link'));
    symlinkSync('../secret.txt', path.join(workspace, 'relative'));
    const result = await inSandbox('cat link relative; echo changed > link; echo changed > relative', workspace);
    expect(result.stdout).toBe('');
    expect(readFileSync(path.join(base, 'secret.txt'), 'utf8')).toBe('secret');
  });

  test.each(['/', '/usr', '/usr/bin', '/etc', '/dev', '/run', '/proc/sys/kernel', '/workspace/..'])(
    'cannot write in %s',
    async (folder) => {
      const { workspace } = aWorkspace();
      const { exitCode } = await inSandbox(`: > ${folder}/longhaul-test`, workspace);
      expect(exitCode).not.toBe(0);
    },
  );

  // With >> nothing is written even where it could be.
  test.each(['/proc/sys/kernel/core_pattern', '/proc/sys/kernel/hostname', '/proc/sysrq-trigger', '/proc/mtrr'])(
    'cannot open %s for writing',
    async (file) => {
      const { workspace } = aWorkspace();
      const { stdout } = await inSandbox(`{ : >> ${file}; } 2>/dev/null && echo open`, workspace);
      expect(stdout).toBe('');
    },
  );

  test('sees no process but its own', async () => {
    const { workspace } = aWorkspace();
    const { stdout } = await inSandbox(`cat /proc/[0-9]*/comm; kill -0 ${process.pid} && echo reached`, workspace);
    expect(stdout.trim().split('\n').toSorted()).toEqual(['bash', 'bwrap', 'timeout']);
  });

  test('sees nothing of the environment of the worker', async () => {
    const { workspace } = aWorkspace();
    process.env['LONGHAUL_TEST_CANARY'] = 'canary-of-the-environment';
    const { stdout } = await inSandbox('env; cat /proc/[0-9]*/environ | tr "\\0" "\\n"', workspace);
    delete process.env['LONGHAUL_TEST_CANARY'];
    expect(stdout).toContain('HOME=/workspace');
    expect(stdout).not.toContain('canary');
    expect(stdout).not.toContain('LONGHAUL');
  });

  test('has no capability, gains none, and makes no namespace', async () => {
    const { workspace } = aWorkspace();
    const { stdout } = await inSandbox(
      `grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status
       unshare --user true && echo namespace; unshare --mount true && echo namespace
       mount -t tmpfs none /tmp && echo mounted`,
      workspace,
    );
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/^(Cap\w+: 0{16} ){5}NoNewPrivs: 1 Seccomp: 2 $/);
  });

  test('leaves no file that runs as the user of the worker', async () => {
    const { workspace } = aWorkspace();
    await inSandbox(
      `cp /usr/bin/id a; chmod 4755 a; cp /usr/bin/id b; chmod u+s b
       perl -e 'use Fcntl; sysopen(my $f, "c", O_CREAT|O_WRONLY, 04755)'; install -m 6755 /usr/bin/id d`,
      workspace,
    );
    const modes = readdirSync(workspace).map((name) => statSync(path.join(workspace, name)).mode & 0o6000);
    expect(modes.every((mode) => mode === 0)).toBe(true);
    expect(readdirSync(workspace)).toContain('a');
  });

  test('has none of the files open that the worker has', async () => {
    const { base, workspace } = aWorkspace();
    const secret = path.join(base, 'secret.txt');
    writeFileSync(secret, 'secret');
    // A worker that was itself started with an open file, as a shell or a supervisor may do it.
    const worker = aWorkerProcess(
      workspace,
      'ls /proc/self/fd; cat <&9; cat <&33',
      `exec 9<'${secret}' 33<'${secret}'`,
    );
    const [output] = await Promise.all([textOf(worker), once(worker, 'exit')]);
    expect(JSON.parse(output)).toMatchObject({ stdout: '0\n1\n2\n3\n', ended: 'exited' });
  });

  test('cannot take away what is covered of the workspace', async () => {
    const { base, workspace } = aWorkspace();
    mkdirSync(path.join(workspace, '.longhaul-edits'));
    writeFileSync(path.join(workspace, '.longhaul-edits', 'a'), 'kept');
    const { stdout } = await inSandbox(
      `ls .longhaul-edits; rm -rf .longhaul-edits; mv .longhaul-edits x; ln -sfn '${base}' .longhaul-edits
       echo changed > .longhaul-edits/a`,
      workspace,
      {},
      { covered: ['.longhaul-edits'] },
    );
    expect(stdout).toBe('');
    expect(readFileSync(path.join(workspace, '.longhaul-edits', 'a'), 'utf8')).toBe('kept');
  });
});

describeShell('a command that wants more than it may have', () => {
  test('starts no more processes than allowed', async () => {
    const { workspace } = aWorkspace();
    const token = aToken();
    // Bounded by itself: where a control is off, this must not take the machine down.
    const bomb = `for i in $(seq 60); do bash -c 'sleep 4; : ${token}' & done; wait`;
    const result = await inSandbox(bomb, workspace, { processes: 20, timeoutMs: 5000 });
    expect(result.stderr).toContain('Resource temporarily unavailable');
    expect(processesWith(token)).toEqual([]);
  });

  test('gets no more memory than allowed, in one process', async () => {
    const { workspace } = aWorkspace();
    const { stderr, exitCode } = await inSandbox('head -c 200M /dev/zero | tail', workspace, { memoryBytes: 64 * MIB });
    expect([stderr, exitCode]).toEqual(['tail: memory exhausted\n', 1]);
  });

  test('is ended when all its processes together have more memory than allowed', async () => {
    const { workspace } = aWorkspace();
    const many = 'for i in 1 2 3 4; do (head -c 40M /dev/zero; sleep 60) | tail & done; wait';
    const result = await inSandbox(many, workspace, { memoryBytes: 100 * MIB });
    expect(result).toMatchObject({ ended: 'memory', exitCode: null });
  });

  test('fills neither /tmp nor /dev/shm, which are memory', async () => {
    const { workspace } = aWorkspace();
    const { stderr } = await inSandbox(
      'head -c 100M /dev/zero > /tmp/a; head -c 20M /dev/zero > /dev/shm/a',
      workspace,
    );
    expect(stderr.match(/No space left on device/g)).toHaveLength(2);
  });

  test('is ended when it writes without end', async () => {
    const { workspace } = aWorkspace();
    const result = await inSandbox('yes', workspace, { outputBytes: 1000 });
    expect(result.ended).toBe('output');
    expect(result.stdout).toMatch(/^(y\n){250}\n… \d{8} bytes left out …\n(y\n){250}$/);
  });

  test('is ended at its time limit, whatever it has started', async () => {
    const { workspace } = aWorkspace();
    const token = aToken();
    const command = `trap '' TERM INT HUP; setsid bash -c 'sleep 1000; : ${token}' & sleep 1000`;
    const result = await inSandbox(command, workspace, { timeoutMs: 400 });
    expect(result.ended).toBe('timeout');
    expect(processesWith(token)).toEqual([]);
  });

  test('is ended when its processes have used up their processor time', async () => {
    const { workspace } = aWorkspace();
    const result = await inSandbox('for i in 1 2 3; do while :; do :; done & done; wait', workspace, { cpuSeconds: 1 });
    expect(result.ended).toBe('cpu');
  });

  test('is ended when the workspace has grown too large', async () => {
    const { workspace } = aWorkspace();
    const fill = 'for i in $(seq 40); do head -c 1M /dev/zero > f$i; done; sleep 60';
    expect((await inSandbox(fill, workspace, { workspaceBytes: 20 * MIB })).ended).toBe('workspace');
  });

  test('cannot hide in a closed folder how large the workspace has grown', async () => {
    const { workspace } = aWorkspace();
    const fill = 'mkdir -m 755 d; head -c 9M /dev/zero > d/f; chmod 000 d; sleep 60';
    expect((await inSandbox(fill, workspace, { workspaceBytes: 4 * MIB })).ended).toBe('workspace');
  });

  test('writes no file larger than allowed', async () => {
    const { workspace } = aWorkspace();
    const { exitCode } = await inSandbox('head -c 3M /dev/zero > f', workspace, { fileBytes: MIB });
    expect(exitCode).not.toBe(0);
    expect(statSync(path.join(workspace, 'f')).size).toBe(MIB);
  });
});

describeShell('what a command has started', () => {
  test('does not outlive it', async () => {
    const { workspace } = aWorkspace();
    const token = aToken();
    const result = await inSandbox(
      `nohup setsid bash -c 'while :; do echo x >> beat; sleep 0.05; : ${token}; done' > /dev/null 2>&1 & disown
       while [ ! -s beat ]; do sleep 0.02; done; echo started`,
      workspace,
    );
    expect(result).toMatchObject({ ended: 'exited', exitCode: 0, stdout: 'started\n' });
    expect(processesWith(token)).toEqual([]);
  });

  test('is ended when the call is stopped', async () => {
    const { workspace } = aWorkspace();
    const token = aToken();
    const stop = new AbortController();
    const running = inSandbox(`bash -c 'sleep 1000; : ${token}'`, workspace, {}, { signal: stop.signal });
    await until(() => processesWith(token).length > 0);
    stop.abort();
    expect((await running).ended).toBe('stopped');
    expect(processesWith(token)).toEqual([]);
  });

  test('is ended when the worker is killed', async () => {
    const { workspace } = aWorkspace();
    const token = aToken();
    const worker = aWorkerProcess(workspace, `setsid bash -c 'sleep 1000; : ${token}' & sleep 1000`);
    await until(() => processesWith(token).some((pid) => pid !== worker.pid));
    worker.kill('SIGKILL');
    await once(worker, 'exit');
    await until(() => processesWith(token).length === 0);
    expect(processesWith(token)).toEqual([]);
  });

  test.each([0, 2, 4, 7, 11, 16, 23, 32, 45, 64, 90])(
    'is ended when the worker is killed %i ms after the sandbox has begun to start',
    async (ms) => {
      const { workspace } = aWorkspace();
      const token = aToken();
      const worker = aWorkerProcess(workspace, `bash -c 'sleep 1000; : ${token}'`);
      await until(() => descendantsOf(worker.pid).length > 0);
      await setTimeout(ms);
      const begun = descendantsOf(worker.pid);
      worker.kill('SIGKILL');
      await once(worker, 'exit');
      await until(() => begun.every((pid) => !isRunning(pid)));
      expect(processesWith(token)).toEqual([]);
    },
    20_000,
  );

  test('ends with all processes that the command may signal', async () => {
    const { workspace } = aWorkspace();
    const { exitCode } = await inSandbox('kill -9 -1; kill -9 1 $PPID; sleep 0.2; echo alive', workspace);
    expect(exitCode).toBe(137);
  });
});

describeShell('a sandbox that could not be set up', () => {
  test('runs nothing and says why', async () => {
    const { workspace } = aWorkspace();
    const host = { ...theHost(), seccomp: Buffer.from('no program') };
    await expect(inSandbox('touch ran', workspace, {}, { host })).rejects.toThrow(/bubblewrap ended with.*exit code 1/);
    expect(existsSync(path.join(workspace, 'ran'))).toBe(false);
  });
});

/** A process that runs one command, from what is built: so that it can be killed, or started with files open. */
function aWorkerProcess(workspace: string, command: string, before = ':') {
  const root = path.resolve(__dirname, '../../dist/sandbox');
  const script = `
    const { findSandboxHost } = require(${JSON.stringify(`${root}/bubblewrap.js`)});
    const { runShell } = require(${JSON.stringify(`${root}/shell.js`)});
    const { defaultShellLimits: limits } = require(${JSON.stringify(`${root}/limits.js`)});
    const [workspace, command] = process.argv.slice(1);
    runShell(findSandboxHost().host, { command, workspace, limits }).then((r) => console.log(JSON.stringify(r)));`;
  const args = ['-c', `${before}; exec "$@"`, 'bash', process.execPath, '-e', script, workspace, command];
  return spawn('/bin/bash', args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function textOf({ stdout }: { stdout: AsyncIterable<Buffer> | null }): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdout ?? []) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
