// The short form of `npm run crash-matrix`: every kind of point once, for each process that can be killed.
import { Closing } from '../../bench/closing.js';
import { type MatrixResult, type VictimResult, runMatrix } from '../../bench/crash-matrix/matrix.js';
import { PATTERN_LENGTH } from '../../bench/crash-matrix/scenario.js';
import { findings } from '../../bench/crash-matrix/report.js';
import { startWorld, victims } from '../../bench/crash-matrix/world.js';

const closing = new Closing();
let result: MatrixResult;

beforeAll(async () => {
  const world = await startWorld(closing);
  const { signal } = new AbortController();
  result = await runMatrix(world, {
    ...{ steps: PATTERN_LENGTH, victims, choice: 'kinds', signal },
    say: () => undefined,
  });
}, 600_000);

afterAll(() => closing.close(), 60_000);

const of = (victim: string): VictimResult => result.victims.find((v) => v.victim === victim) as VictimResult;

test.each(victims)('a run whose %s is killed at any kind of point ends like an undisturbed one', (victim) => {
  expect(findings({ ...result, victims: [of(victim)] })).toEqual([]);
});

test.each(victims)('the %s is killed on both sides of every kind of commit and inside every kind of call', (victim) => {
  const kinds = of(victim).kills.map((kill) => kill.point.kind);
  const commits = ['run.created', 'run.started', 'model.requested', 'model.replied', 'message.queued', 'run.completed'];
  const ofTools = ['look', 'charge', 'wire', 'launch'].flatMap((tool) => [
    `tool.started of ${tool}`,
    `tool.returned of ${tool}`,
  ]);
  const ofPersons = ['approval.requested of charge', 'approval.decided of charge', 'approval.decided of launch'];
  const sides = [...commits, ...ofTools, ...ofPersons].flatMap((what) => [
    `before the commit of ${what}`,
    `after the commit of ${what}`,
  ]);
  const inTools = ['look', 'charge', 'wire', 'launch'].flatMap((tool) => [
    `in ${tool}, before its effect`,
    `in ${tool}, after its effect`,
  ]);
  const inModel = ['before the reply', 'in the middle of the reply', 'before its last byte'];
  expect(kinds).toEqual(
    expect.arrayContaining([...sides, ...inTools, ...inModel.map((at) => `in a model call, ${at}`)]),
  );
});

test('an irreversible call whose worker is killed inside it is unknown, and its effect happens once at most', () => {
  const inLaunch = of('worker').kills.filter((kill) => kill.point.kind.startsWith('in launch'));
  expect(inLaunch.map(({ unknown, twice }) => ({ unknown, twice }))).toEqual([
    { unknown: 1, twice: 0 },
    { unknown: 1, twice: 0 },
  ]);
});

test('what is in flight when only the API is killed is never made again', () => {
  expect(of('api').kills.filter((kill) => kill.repeated + kill.unknown > 0)).toEqual([]);
});
