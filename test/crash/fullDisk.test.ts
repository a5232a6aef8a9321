// The disk under PostgreSQL is full, as PostgreSQL says it (SQLSTATE 53100), while results come in.
import { waitFor } from '../../embedded/processes.js';
import { ApiCaller, type TestService, calls, done, scriptOf, sinkAgent, startTestService } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';
import { query } from '../embedded/support.js';

jest.setTimeout(120_000);

let service: TestService;
let api: ApiCaller;
let sink: Sink;

beforeAll(async () => {
  [service, sink] = await Promise.all([startTestService(), startSink()]);
  api = ApiCaller.of(service);
});
afterAll(async () => {
  await service?.stop();
  await sink?.close();
});

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await service.model.putScript(scriptOf(name, turns));
  const { tools } = sinkAgent(name, sink.url) as unknown as { tools: object[] };
  await api.putAgent(sinkAgent(name, sink.url, { tools: tools.map((tool) => ({ ...tool, timeout: '5m' })) }));
  return (await api.startRun(name)).id;
}

const sql = (text: string): Promise<object[]> => query(service.databaseUrl, text);

/** What PostgreSQL answers to whoever adds a row when there is no room for another page. */
async function fillDisk(): Promise<void> {
  await sql(`CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE disk_full USING MESSAGE = 'could not extend file "base/1/2": No space left on device';
  END $$`);
  await sql('CREATE TRIGGER no_room BEFORE INSERT ON contents EXECUTE FUNCTION no_room()');
}

const makeRoom = (): Promise<object[]> => sql('DROP FUNCTION no_room CASCADE');
const said = (words: string) =>
  waitFor(`a worker to say "${words}"`, () => service.log.some((line) => line.includes(words)), 30_000);

test('results that find the disk full wait for room: nothing is lost, made twice or called unknown', async () => {
  const hold = sink.holdNext('/launch');
  const inTool = await aRun('full-tool', [
    calls(['launch', { what: 'rocket' }]),
    { ...done('it is up'), expect: { toolResult: { tool: 'launch', contains: '"ok":true', isError: false } } },
  ]);
  await hold.arrived;
  await service.model.holdAt({ name: 'full', script: 'full-model', turn: 0, at: 'beforeStop' });
  const inModel = await aRun('full-model', [calls(['charge', { what: 'x' }]), done()]);
  await service.model.waitForHold('full');

  await fillDisk();
  hold.release();
  await service.model.release('full');
  await Promise.all([said('a tool result waits for the database'), said('a reply waits for the database')]);
  const refused = await api.call('POST', '/v1/runs', { agent: 'full-tool', input: 'go' });
  expect(refused).toMatchObject({
    status: 503,
    body: { detail: expect.stringContaining('disk of PostgreSQL is full') },
  });
  expect(await api.run(inTool)).toMatchObject({ status: 'running' }); // what is stored can be read
  await makeRoom();

  expect(await api.ended(inTool)).toMatchObject({ status: 'completed', output: { text: 'it is up' } });
  expect(await api.ended(inModel)).toMatchObject({ status: 'completed', usage: { modelCalls: 2 } });
  for (const [id, script] of [
    [inTool, 'full-tool'],
    [inModel, 'full-model'],
  ] as const) {
    expect(sink.requests.filter((r) => r.key.startsWith(id))).toHaveLength(1);
    const bill = await service.model.bill(script);
    expect([bill.repeated, bill.unfinished]).toEqual([[], 0]);
  }
});
