import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { isGone, thisProcess } from '../../worker/processIdentity.js';

const here = thisProcess();

test('a running process is there', () => {
  expect(isGone(here, here)).toBe(false);
});

test('a pid that was given to another process is gone', () => {
  expect(isGone({ ...here, pidStarted: '1' }, here)).toBe(true);
});

test('a killed process is gone, also while its parent has not taken notice', async () => {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  await once(child, 'spawn');
  const pid = child.pid as number;
  const started = thisProcess().pidStarted;
  expect(isGone({ ...here, pid, pidStarted: started }, here)).toBe(true); // another start time
  process.kill(pid, 'SIGKILL');
  await once(child, 'exit');
  expect(isGone({ ...here, pid }, here)).toBe(true);
});

test('of a process of another machine or container nothing can be told', () => {
  expect(isGone({ ...here, pidSpace: 'another boot pid:[1]' }, here)).toBeUndefined();
  expect(isGone({ ...here, pidSpace: null }, { ...here, pidSpace: null })).toBeUndefined();
});
