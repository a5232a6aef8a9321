// PostgreSQL, Temporal or both are away for longer than every lease and heartbeat time-out, and come back.
import { setTimeout } from 'node:timers/promises';
import { calls, done, scriptOf, sinkAgent } from '../support/service.js';
import { type Sink, startSink } from '../support/sink.js';
import { type OwnServers, type ServerName, startOwnServers } from '../support/ownServers.js';

// Both servers come back, and everybody finds them again: on a busy machine that takes a while.
jest.setTimeout(240_000);

/** Leases are 9 s, heartbeat time-outs 6 s: what was in flight counts as lost to whoever only looks at the clock. */
const OUTAGE_MS = 20_000;

let own: OwnServers;
let sink: Sink;

beforeAll(async () => {
  [own, sink] = await Promise.all([startOwnServers('outages', { workers: 2 }), startSink()]);
});
afterAll(async () => {
  await own?.stop();
  await sink?.close();
});

async function aRun(name: string, turns: Parameters<typeof scriptOf>[1]): Promise<string> {
  await own.model.putScript(scriptOf(name, turns));
  const { tools } = sinkAgent(name, sink.url) as unknown as { tools: object[] };
  // Longer than any outage: the tools' own time is not what is tested.
  const patient = tools.map((tool) => ({ ...tool, timeout: '5m' }));
  await own.api.putAgent(
    sinkAgent(name, sink.url, { tools: patient, approve: [{ tool: 'charge', when: 'arguments.what == "ask"' }] }),
  );
  return (await own.api.startRun(name)).id;
}

const launching = [
  calls(['launch', { what: 'rocket' }]),
  { ...done('it is up'), expect: { toolResult: { tool: 'launch', contains: '"ok":true', isError: false } } },
];

const withoutPostgres = { status: 503, body: { detail: expect.stringContaining('PostgreSQL does not answer') } };

const requestsOf = (id: string) => sink.requests.filter((r) => r.key.startsWith(id)).map((r) => r.path);

test.each<[string, ServerName[], object]>([
  ['PostgreSQL', ['PostgreSQL'], withoutPostgres],
  ['Temporal', ['Temporal'], { status: 200 }],
  ['PostgreSQL and Temporal', ['PostgreSQL', 'Temporal'], withoutPostgres],
])(
  '%s away past every time-out: calls that were in flight bring their results, nothing is made twice or called unknown',
  async (_, servers, answer) => {
    const { api, model } = own;
    const name = servers.join('-').toLowerCase();
    const launch = sink.holdNext('/launch');
    const inTool = await aRun(`${name}-tool`, launching);
    await launch.arrived;
    const longLaunch = sink.holdNext('/launch');
    const inLongTool = await aRun(`${name}-long-tool`, launching);
    await longLaunch.arrived;
    await model.holdAt({ name, script: `${name}-model`, turn: 0, at: 'afterFirstDelta' });
    const inModel = await aRun(`${name}-model`, [done('a text that is long enough to be sent in pieces')]);
    await model.waitForHold(name);
    const waiting = await aRun(`${name}-approval`, [calls(['charge', { what: 'ask' }]), done()]);
    const approval = await api.firstApproval(waiting);

    const bringBack = await Promise.all(servers.map((server) => own.takeAway(server)));
    // Whether the API answers or refuses, it does so in time and says what is wrong.
    const answered = await api.call('GET', `/v1/runs/${inTool}`);
    expect(answered).toMatchObject(answer);
    await setTimeout(OUTAGE_MS / 2);
    launch.release(); // results come while there is nobody to take them
    await model.release(name);
    await setTimeout(OUTAGE_MS / 2);
    await Promise.all(bringBack.map((again) => again()));

    expect(await api.ended(inTool, 120_000)).toMatchObject({ status: 'completed', output: { text: 'it is up' } });
    expect(await api.ended(inModel, 120_000)).toMatchObject({ status: 'completed', usage: { modelCalls: 1 } });
    await api.decide(approval, 'approve');
    longLaunch.release(); // this one comes when Temporal has long handed out another attempt
    expect(await api.ended(inLongTool, 120_000)).toMatchObject({ status: 'completed', output: { text: 'it is up' } });
    expect(await api.ended(waiting, 120_000)).toMatchObject({ status: 'completed' });
    expect([inTool, inLongTool, waiting].map(requestsOf)).toEqual([['/launch'], ['/launch'], ['/charge']]);
    for (const script of ['tool', 'long-tool', 'model', 'approval']) {
      const bill = await model.bill(`${name}-${script}`);
      expect([bill.repeated, bill.unfinished]).toEqual([[], 0]);
    }
    for (const id of [inTool, inLongTool, inModel, waiting]) {
      const types = (await api.events(id)).map((e) => e.type);
      expect(types.filter((type) => /^(tool.unknown|tool.result_late|worker.lost|model.failed)$/.test(type))).toEqual(
        [],
      );
    }
  },
);

test('a run that is started while Temporal is away is taken, and goes once Temporal is back', async () => {
  const bringBack = await own.takeAway('Temporal');
  const id = await aRun('started-without', [calls(['charge', { what: 'x' }]), done()]);
  expect(await own.api.run(id)).toMatchObject({ status: 'queued' });
  await bringBack();
  expect(await own.api.ended(id, 120_000)).toMatchObject({ status: 'completed' });
  expect(requestsOf(id)).toEqual(['/charge']);
});
