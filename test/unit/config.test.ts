// What the environment may say, and what is said about it when it is wrong.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { loadConfig, readSecret, requireServers } from '../../config/env.js';

test('an empty environment has a default for everything that has one', () => {
  expect(loadConfig({})).toMatchObject({
    dataDir: path.resolve('.longhaul'),
    workspacesDir: path.resolve('.longhaul/workspaces'),
    agentsDir: path.resolve('agents'),
    host: '127.0.0.1',
    port: 8080,
    temporalNamespace: 'default',
    logLevel: 'info',
    databaseUrl: undefined,
    temporalAddress: undefined,
    anthropicApiKey: undefined,
  });
});

test('an empty value counts as not set, as compose files unset a variable', () => {
  expect(loadConfig({ LONGHAUL_PORT: '', ANTHROPIC_API_KEY: '', DATABASE_URL: '' })).toMatchObject({
    port: 8080,
    anthropicApiKey: undefined,
    databaseUrl: undefined,
  });
});

test('workspaces lie in the data folder unless a folder is named for them', () => {
  expect(loadConfig({ LONGHAUL_DATA_DIR: '/data' }).workspacesDir).toBe('/data/workspaces');
  expect(loadConfig({ LONGHAUL_DATA_DIR: '/data', LONGHAUL_WORKSPACES_DIR: '/files' }).workspacesDir).toBe('/files');
});

test('every variable that is wrong is named at once', () => {
  const load = () =>
    loadConfig({
      LONGHAUL_PORT: '80800',
      DATABASE_URL: 'mysql://localhost/x',
      LOG_LEVEL: 'loud',
      LONGHAUL_ADMIN_KEY: 'short',
    });
  expect(load).toThrow(/LONGHAUL_PORT/);
  expect(load).toThrow(/DATABASE_URL: a URL such as postgres:\/\//);
  expect(load).toThrow(/LOG_LEVEL/);
  expect(load).toThrow(/LONGHAUL_ADMIN_KEY: at least 16 characters/);
});

test.each(['postgres://u:p@h/d', 'postgresql://u:p@h:5433/d?sslmode=require'])('%s is a database', (url) => {
  expect(loadConfig({ DATABASE_URL: url }).databaseUrl).toBe(url);
});

test('a value of an admin key never stands in the error about it', () => {
  expect(() => loadConfig({ LONGHAUL_ADMIN_KEY: 'hunter2hunter2' })).toThrow(/^(?![^]*hunter2)/);
});

test('a process that needs servers says which of them is not set, and what sets them', () => {
  expect(() => requireServers(loadConfig({ DATABASE_URL: 'postgres://h/d' }))).toThrow(
    /^TEMPORAL_ADDRESS must be set\. `npm start`/,
  );
  expect(() => requireServers(loadConfig({}))).toThrow(/DATABASE_URL and TEMPORAL_ADDRESS/);
});

test('a process whose servers are set gets their addresses', () => {
  const config = loadConfig({ DATABASE_URL: 'postgres://h/d', TEMPORAL_ADDRESS: 'h:7233' });
  expect(requireServers(config)).toEqual({ databaseUrl: 'postgres://h/d', temporalAddress: 'h:7233' });
});

test('a worker polls the queue of runs, or those it is given', () => {
  expect(loadConfig({}).queues).toEqual(['runs']);
  expect(loadConfig({ LONGHAUL_QUEUES: 'gpu, runs,gpu' }).queues).toEqual(['gpu', 'runs']);
  expect(() => loadConfig({ LONGHAUL_QUEUES: 'runs,rows' })).toThrow(/LONGHAUL_QUEUES.*`rows` is Longhaul's own/);
  expect(() => loadConfig({ LONGHAUL_QUEUES: 'runs,' })).toThrow(/LONGHAUL_QUEUES.*letters, digits/);
});

test('a secret is read from its variable, or from the file that NAME_FILE names', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'longhaul-secret-'));
  const file = path.join(folder, 'token');
  writeFileSync(file, 'from a file\n');
  try {
    Object.assign(process.env, { T_SECRET: 'plain', U_SECRET_FILE: file, V_SECRET_FILE: `${file}-gone` });
    expect(readSecret('T_SECRET')).toBe('plain');
    expect(readSecret('U_SECRET')).toBe('from a file');
    expect(() => readSecret('V_SECRET')).toThrow('cannot read the file of the secret V_SECRET');
    expect(readSecret('W_SECRET')).toBeUndefined();
  } finally {
    for (const name of ['T_SECRET', 'U_SECRET_FILE', 'V_SECRET_FILE']) delete process.env[name];
    rmSync(folder, { recursive: true });
  }
});
