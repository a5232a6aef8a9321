// Silence is what was watched, second by second; nothing else makes a worker look dead.
import { PeerWatch } from '../../worker/peerWatch.js';

/** Looks every second from `from` to `to`, in seconds. */
function watchOn(watch: PeerWatch, from: number, to: number, renewed: (second: number) => string): void {
  for (let s = from; s <= to; s++) watch.look([{ id: 'w', renewed: renewed(s) }], s * 1000);
}

test('a worker that renews is not silent, whatever its times say', () => {
  const watch = new PeerWatch();
  watchOn(watch, 0, 60, (s) => (Math.floor(s / 3) % 2 === 0 ? '2026-01-01' : '1999-01-01'));
  expect(watch.isSilent('w')).toBe(false);
});

test('one that does not is silent after the length of a lease, and for good after two minutes', () => {
  const watch = new PeerWatch();
  watchOn(watch, 0, 9, () => 'same');
  expect(watch.isSilent('w')).toBe(false);
  watchOn(watch, 10, 11, () => 'same');
  expect(watch.isSilent('w')).toBe(true);
  expect(watch.isSilentForGood('w')).toBe(false);
  watchOn(watch, 12, 121, () => 'same');
  expect(watch.isSilentForGood('w')).toBe(true);
  watchOn(watch, 122, 122, () => 'back');
  expect(watch.isSilent('w')).toBe(false);
});

test('time in which nobody looked does not count: the watcher stood still, or could not read', () => {
  const watch = new PeerWatch();
  watchOn(watch, 0, 5, () => 'same');
  watchOn(watch, 600, 609, () => 'same');
  expect(watch.isSilent('w')).toBe(false);
  watchOn(watch, 610, 610, () => 'same');
  expect(watch.isSilent('w')).toBe(true);
});

test('a worker that was never seen is not called silent', () => {
  expect(new PeerWatch().isSilent('w')).toBe(false);
});
