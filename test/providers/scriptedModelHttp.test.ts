// The scripted model for any HTTP client: what it asks of a request, models, tokens, scripts from folders, its process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ScriptedModelControl } from '../../embedded/scriptedModel/client.js';
import { startScriptedModel } from '../../embedded/scriptedModel/server.js';
import { type Bench, aScriptedModel, answer, asking, failure, script } from './support.js';

let bench: Bench;
let dir: string;

beforeAll(async () => {
  bench = await aScriptedModel();
  dir = mkdtempSync(path.join(tmpdir(), 'scripts-'));
  await bench.control.putScript(script('here', [{ reply: [{ text: 'hello' }] }], { window: 5000, maxOutput: 2000 }));
});
afterAll(async () => {
  await bench.server.close();
  rmSync(dir, { recursive: true });
});

const headers = { authorization: 'Bearer any', 'anthropic-version': '2026-10-21', 'content-type': 'application/json' };
const post = async (body: string, more: Record<string, string> = headers, at = '/v1/messages?beta=true') => {
  const response = await fetch(`${bench.server.url}${at}`, { method: 'POST', headers: more, body });
  const text = await response.text();
  return { status: response.status, text, headers: response.headers };
};
const go = JSON.stringify(asking('here'));

describe('a request', () => {
  test('without stream is answered in one piece', async () => {
    const { status, text } = await post(go);
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ type: 'message', role: 'assistant', content: [{ text: 'hello' }] });
  });

  test('with stream is answered in events, each with its name', async () => {
    const { text, headers: got } = await post(JSON.stringify({ ...asking('here'), stream: true }));
    expect(got.get('content-type')).toBe('text/event-stream');
    const names = [...text.matchAll(/^event: (.*)\ndata: \{"type":"\1"/gm)].map((m) => m[1]);
    expect(names).toEqual([
      'message_start',
      'ping',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
  });

  const { authorization: _, ...noKey } = headers;
  const { 'anthropic-version': __, ...noVersion } = headers;
  test.each<[string, number, string, () => ReturnType<typeof post>]>([
    ['without a key', 401, 'authentication_error', () => post(go, noKey)],
    ['with an empty key', 401, 'authentication_error', () => post(go, { ...headers, authorization: 'Bearer ' })],
    ['without a version', 400, 'invalid_request_error', () => post(go, noVersion)],
    ['that is no JSON', 400, 'invalid_request_error', () => post('{"model":')],
    ['that is null', 400, 'invalid_request_error', () => post('null')],
    ['without a model', 400, 'invalid_request_error', () => post('{"max_tokens":5}')],
    ['to another path', 404, 'not_found_error', () => post(go, headers, '/v1/complete')],
    ['above 32 MB', 413, 'request_too_large', () => post(`"${'x'.repeat(33 * 1024 * 1024)}"`)],
  ])('%s is refused with %i %s', async (_what, status, type, call) => {
    const got = await call();
    expect(got.status).toBe(status);
    expect(JSON.parse(got.text)).toMatchObject({ type: 'error', error: { type, message: expect.any(String) } });
    expect(got.headers.get('request-id')).toMatch(/^req_/);
  });

  test('for an unknown script learns which there are', async () => {
    const error = await failure(answer(bench, asking('scripted/elsewhere')));
    expect(error).toMatchObject({ status: 404, type: 'not_found_error' });
    expect(error['message']).toContain('the scripts are: here');
  });
});

describe('models and tokens', () => {
  test.each(['here', 'scripted/here'])('%s has a window and a longest reply', async (id) => {
    const model = await bench.client.beta.models.retrieve(id);
    expect(model).toMatchObject({ id, max_input_tokens: 5000, max_tokens: 2000, lifecycle: 'active' });
    expect(await failure(bench.client.beta.models.retrieve(`${id}-not`))).toMatchObject({ status: 404 });
  });

  test('counted tokens are those that the reply bills', async () => {
    const { max_tokens: _, ...rest } = asking('here', { system: 'be kind' });
    const { input_tokens } = await bench.client.beta.messages.countTokens(rest);
    expect((await answer(bench, asking('here', { system: 'be kind' }))).usage.input_tokens).toBe(input_tokens);
  });

  test('tokens of a request that would be refused are not counted', async () => {
    const error = await failure(bench.client.beta.messages.countTokens({ model: 'here', messages: [] }));
    expect(error).toMatchObject({ status: 400 });
  });
});

describe('control', () => {
  test.each<[string, string, string, string, RegExp]>([
    ['a script that is wrong', 'PUT', 'scripts/bad', '{"name":"bad"}', /bad: turns: /],
    ['a script under another name', 'PUT', 'scripts/one', '{"name":"two","turns":[]}', /calls itself two/],
    ['a rule that is no JSON', 'POST', 'holds', '{', /JSON/],
    ['a rule without a turn', 'POST', 'holds', '{"name":"x","script":"here"}', /turn/],
    ['a place that is none', 'POST', 'holds', '{"name":"x","script":"here","turn":0,"at":"after"}', /at/],
  ])('%s is refused with its reason', async (_, method, at, body, reason) => {
    const init = { method, body };
    const response = await fetch(`${bench.server.url}/_control/${at}`, init);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: string }).error).toMatch(reason);
  });

  test('an unknown command lists the known ones', async () => {
    const response = await fetch(`${bench.server.url}/_control/`);
    expect(response.status).toBe(404);
    expect(await response.text()).toContain('GET journal');
  });

  test('holds are listed and released by name in path, query or body', async () => {
    await bench.control.holdAt({ name: 'listed', script: 'here', turn: 3 });
    const holds = await fetch(`${bench.server.url}/_control/holds`);
    expect(await holds.json()).toMatchObject({ rules: [{ name: 'listed', at: 'before' }], waiting: [] });
    await fetch(`${bench.server.url}/_control/release`, { method: 'POST', body: '{"name":"listed"}' });
    expect(await (await fetch(`${bench.server.url}/_control/holds`)).json()).toEqual({ rules: [], waiting: [] });
  });
});

describe('folders', () => {
  test('scripts lie in a folder or one below; those given by hand win', async () => {
    const own = mkdtempSync(path.join(dir, 'own-'));
    mkdirSync(path.join(own, 'example', 'deeper'), { recursive: true });
    writeFileSync(path.join(own, 'one.yaml'), 'name: one\nturns: []');
    writeFileSync(path.join(own, 'two.json'), '{"name":"two","turns":[]}');
    writeFileSync(path.join(own, 'notes.txt'), 'no script');
    writeFileSync(path.join(own, 'example', 'script.yaml'), 'name: three\nturns: []');
    writeFileSync(path.join(own, 'example', 'deeper', 'script.yaml'), 'name: four\nturns: []');
    const given = { name: 'one', window: 777, maxOutput: 5, turns: [] };
    const server = await startScriptedModel({ scriptsDir: own, scripts: [given] });
    try {
      expect(server.scripts.toSorted()).toEqual(['one', 'three', 'two']);
      const model = await fetch(`${server.url}/v1/models/one`, { headers });
      expect(await model.json()).toMatchObject({ max_input_tokens: 777 });
    } finally {
      await server.close();
    }
  });

  test('two scripts of one name are an error that names both files', async () => {
    const own = mkdtempSync(path.join(dir, 'two-'));
    for (const file of ['a.yaml', 'b.yml']) writeFileSync(path.join(own, file), 'name: same\nturns: []');
    await expect(startScriptedModel({ scriptsDir: own })).rejects.toThrow(/b\.yml: name: same is also .*a\.yaml/);
  });
});

describe('the process', () => {
  const start = (...args: string[]) =>
    spawn(
      process.execPath,
      ['--import', 'tsx', path.join(__dirname, '../../embedded/scriptedModel/main.ts'), ...args],
      {
        env: { PATH: process.env['PATH'], LONGHAUL_SCRIPTED_MODEL_PORT: '0' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );

  test('says in one line where it is, and ends on SIGTERM while requests and watchers wait', async () => {
    const file = path.join(dir, 'mine.yaml');
    writeFileSync(file, 'name: mine\nturns: [{ reply: [{ text: a }], hold: { name: stop } }]');
    const child = start('--journal', path.join(dir, 'mine.jsonl'), file);
    const lines: string[] = [];
    const output = createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
    await once(output, 'line');
    const ready = JSON.parse(lines[0] as string) as { url: string };
    expect(ready).toEqual({
      ready: true,
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      scripts: ['mine'],
    });

    const held = fetch(`${ready.url}/v1/messages`, { method: 'POST', headers, body: JSON.stringify(asking('mine')) });
    const ended = failure(held);
    const control = new ScriptedModelControl(ready.url);
    await control.waitForHold('stop');
    const watching = failure(control.waitForHold('nobody comes', 60_000));
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(0);
    await Promise.all([ended, watching]);
    expect(lines).toHaveLength(1);
  });

  test('with a script that is wrong ends with its place on standard error', async () => {
    const file = path.join(dir, 'wrong.yaml');
    writeFileSync(file, 'name: wrong\nturns: [{ reply: [{ say: a }] }]');
    const child = start(file);
    let errors = '';
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(1);
    expect(errors).toMatch(/wrong\.yaml: turns\.0\.reply\.0: a block is one of/);
  });
});
