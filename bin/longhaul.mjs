#!/usr/bin/env node
// The installed command. Everything is in cli/; here only a clear word when it was not built.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const built = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(fileURLToPath(built))) {
  const { main } = await import(built.href);
  await main();
} else {
  console.error(
    'longhaul is not built yet. Run `npm run setup` in its folder, which installs and builds what is missing.',
  );
  process.exitCode = 1;
}
