// scripts/build.mjs: a build that fails leaves what was built before.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { packageRoot } from '../../embedded/services.js';

/** A package of one file with a workflow, built by the same script. */
function aPackage(): { root: string; build: () => number | null } {
  const root = mkdtempSync(path.join(process.env['LONGHAUL_TEST_DIR'] as string, 'build-'));
  const from = path.resolve(packageRoot());
  for (const file of ['scripts/build.mjs', 'tsconfig.json', 'tsconfig.build.json', 'package.json']) {
    cpSync(path.join(from, file), path.join(root, file));
  }
  symlinkSync(path.join(from, 'node_modules'), path.join(root, 'node_modules'));
  for (const folder of ['workflows', 'migrations']) mkdirSync(path.join(root, folder));
  writeFileSync(path.join(root, 'workflows', 'index.ts'), 'export const agentRun = async (): Promise<number> => 1;\n');
  writeFileSync(path.join(root, 'migrations', '0001_first.sql'), 'SELECT 1;\n');
  writeFileSync(path.join(root, 'index.ts'), "export const said: string = 'one';\n");
  const build = () =>
    spawnSync(process.execPath, [path.join(root, 'scripts', 'build.mjs')], { stdio: 'ignore' }).status;
  return { root, build };
}

test('a build with a type error leaves the dist/ that was there, whole, and nothing beside it', () => {
  const { root, build } = aPackage();
  const built = (file: string): string => readFileSync(path.join(root, 'dist', file), 'utf8');
  expect(build()).toBe(0);
  expect(built('index.js')).toContain("'one'");
  expect(built('migrations/0001_first.sql')).toContain('SELECT 1');
  const bundle = built('workflow-bundle.js');

  writeFileSync(path.join(root, 'index.ts'), 'export const said: string = 2;\n');
  mkdirSync(path.join(root, '.dist-999999999')); // of a build that was killed
  expect(build()).not.toBe(0);
  expect(built('index.js')).toContain("'one'");
  expect(built('workflow-bundle.js')).toBe(bundle);

  writeFileSync(path.join(root, 'index.ts'), "export const said: string = 'three';\n");
  expect(build()).toBe(0);
  expect(built('index.js')).toContain("'three'");
  expect(existsSync(path.join(root, 'dist', 'workflow-bundle.js'))).toBe(true);
  expect(readdirSync(root).filter((name) => name.startsWith('.dist-'))).toEqual([]);
});
