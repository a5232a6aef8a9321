// For the image: deletes the builds of Temporal's native part for other platforms, 110 MB. Fails when ours is not there.
const { existsSync, readdirSync, rmSync } = require('node:fs');
const path = require('node:path');

const releases = path.join(__dirname, '..', 'node_modules', '@temporalio', 'core-bridge', 'releases');
const ours = { x64: 'x86_64', arm64: 'aarch64' }[process.arch] + '-unknown-linux-gnu';
if (!existsSync(path.join(releases, ours))) throw new Error(`${releases} has nothing for ${ours}`);
for (const name of readdirSync(releases)) {
  if (name !== ours) rmSync(path.join(releases, name), { recursive: true });
}
