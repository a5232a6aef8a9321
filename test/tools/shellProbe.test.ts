// The probe of the shell's sandbox: it holds here, and each single hole in it is found.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findSandboxHost } from '../../sandbox/bubblewrap.js';
import { type Probe, doesNotHold, holds, undecided } from '../../sandbox/probe.js';
import { decidedOnce } from '../../sandbox/sandboxes.js';
import { probeShell } from '../../sandbox/shellProbe.js';
import { describeShell, theHost } from './sandboxed.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'longhaul-bwrap-'));
  chmodSync(folder, 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** The real one, called with other arguments: `edit` is bash that changes `args`. */
function aBwrap(edit: string): string {
  const file = path.join(folder, 'bwrap');
  const without =
    'without() { local kept=(); for a in "${args[@]}"; do [[ $a == $1 ]] || kept+=("$a"); done; args=("${kept[@]}"); }';
  const instead = 'instead() { for i in "${!args[@]}"; do [[ ${args[i]} == "$1" ]] && args[i]=$2; done; }';
  writeFileSync(
    file,
    `#!/bin/bash\nargs=("$@")\n${without}\n${instead}\n${edit}\nexec ${theHost().bwrap} "\${args[@]}"\n`,
  );
  chmodSync(file, 0o755);
  return file;
}

describeShell('the probe', () => {
  test('finds that the sandbox of this machine holds', async () => {
    expect(await probeShell(theHost())).toEqual({ holds: true });
  });

  test('finds that a sandbox called in another way, with the same arguments, holds', async () => {
    expect(await probeShell({ ...theHost(), bwrap: aBwrap(':') })).toEqual({ holds: true });
  });

  test('cannot tell where nothing in the sandbox comes to an end in time', async () => {
    expect(await probeShell({ ...theHost(), bwrap: aBwrap('sleep 60') })).toMatchObject({
      holds: false,
      undecided: true,
    });
  }, 60_000);

  test.each([
    ['the network of the machine', 'without --unshare-net', 'a connection'],
    ['the processes of the machine', 'without --unshare-pid', 'the pid namespace'],
    ['the memory that processes share', 'without --unshare-ipc', 'the ipc namespace'],
    ['every system call', 'instead --seccomp --sync-fd', 'system calls are not filtered'],
    ['a root folder that can be written', 'instead --remount-ro --dir', 'can be written'],
    ['files of the machine', 'args=(--ro-bind /var /var "${args[@]}")', '/var is seen'],
    ['any number of processes', 'without "--nproc=*"', 'more processes'],
  ])('finds a sandbox that lets in %s', async (_name, edit, reason) => {
    const probe = await probeShell({ ...theHost(), bwrap: aBwrap(edit) });
    expect(probe).toEqual({ holds: false, reason: expect.stringContaining(reason) });
  });

  test('finds a program that runs commands without a sandbox', async () => {
    const file = path.join(folder, 'bwrap');
    writeFileSync(file, '#!/bin/bash\nwhile [ "$1" != -- ]; do shift; done; shift; exec "$@"\n');
    chmodSync(file, 0o755);
    expect(await probeShell({ ...theHost(), bwrap: file })).toMatchObject({ holds: false });
  });

  test('finds a program that runs nothing', async () => {
    expect(await probeShell({ ...theHost(), bwrap: '/bin/true' })).toMatchObject({ holds: false });
    expect(await probeShell({ ...theHost(), bwrap: '/nowhere/bwrap' })).toMatchObject({ holds: false });
  });
});

test('a machine without bubblewrap has no sandbox, and says what to install', () => {
  expect(findSandboxHost({ PATH: '/nowhere:/proc' })).toEqual({
    ok: false,
    reason: expect.stringContaining(process.platform === 'linux' ? 'install the package bubblewrap' : 'Linux'),
  });
});

test('a probe that could not tell is made again, any other once', async () => {
  const answers = [undecided('too slow'), doesNotHold('it leaks'), holds];
  let asked = 0;
  const ask = decidedOnce(() => Promise.resolve(answers[asked++] as Probe));
  expect([await ask(), await ask(), await ask()]).toEqual([answers[0], answers[1], answers[1]]);
});
