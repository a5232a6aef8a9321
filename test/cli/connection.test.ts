// Finding the service and the key, and what is said when either is missing.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connectionOf } from '../../cli/connection.js';
import { goneAddress, type } from './support.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'data-'));
  writeFileSync(path.join(folder, 'admin-key'), 'lh_admin_of_this_folder\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

test('options win over the environment, and the environment over the data folder', () => {
  const env = { LONGHAUL_URL: 'https://b.example/', LONGHAUL_API_KEY: 'key-b', LONGHAUL_DATA_DIR: folder };
  expect(connectionOf({ url: 'http://a.example', key: 'key-a' }, env)).toEqual({
    url: 'http://a.example',
    key: 'key-a',
  });
  expect(connectionOf({}, env)).toEqual({ url: 'https://b.example', key: 'key-b' });
  expect(connectionOf({}, { LONGHAUL_DATA_DIR: folder })).toEqual({
    url: 'http://127.0.0.1:8080',
    key: 'lh_admin_of_this_folder',
  });
});

test('without a key the ways to give one are named', async () => {
  const { code, err } = await type(['list'], { env: { LONGHAUL_API_KEY: '', LONGHAUL_DATA_DIR: `${folder}/none` } });
  expect(code).toBe(1);
  for (const way of ['--key', 'LONGHAUL_API_KEY', 'LONGHAUL_DATA_DIR', `${folder}/none/admin-key`])
    expect(err).toContain(way);
});

test('when nobody listens, the command that starts the service is named', async () => {
  const url = await goneAddress();
  const { code, out, err } = await type(['list', '--url', url]);
  expect({ code, out }).toEqual({ code: 1, out: '' });
  expect(err).toContain(`Nobody listens at ${url}. Start the service with \`npm start\``);
});

test.each(['localhost:8080', 'ftp://x', 'nonsense'])('%s is no address of a service', async (url) => {
  expect(await type(['list', '--url', url])).toMatchObject({ code: 1, err: expect.stringContaining('is no address') });
});

test('help needs neither service nor key', async () => {
  const env = { LONGHAUL_API_KEY: '', LONGHAUL_DATA_DIR: `${folder}/none` };
  const { code, out } = await type(['run', '--help'], { env });
  expect(code).toBe(0);
  expect(out).toContain('Examples:');
});
