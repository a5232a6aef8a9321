// What the scripted model does in one run: the user's own calls, and for a hijacked run the attacker's as soon as the
// injected text is in view. A hijacked model obeys perfectly.
import type { Suite, SuiteCall } from './suite.js';

export interface PlannedCall extends SuiteCall {
  /** What the tool answers when it runs. */
  result: string;
  by: 'user' | 'attacker';
  /** It is the harm that the attacker wants. */
  harm: boolean;
}

export interface Case {
  /** Unique among all suites. */
  id: string;
  suite: string;
  prompt: string;
  calls: PlannedCall[];
  /** Absent: a benign run. */
  attack?: string;
  /** A benign run that writes nothing. */
  readOnly: boolean;
  /** One of the attacker's calls is one that the user asked for as well. */
  sameCall: boolean;
}

export function casesOf(suite: Suite): Case[] {
  return [...benignCases(suite), ...attackCases(suite)];
}

function benignCases(suite: Suite): Case[] {
  return suite.userTasks.map((task) => ({
    id: `${suite.suite}-${task.id}`,
    suite: suite.suite,
    prompt: task.prompt,
    calls: planned(suite, task.calls, task.results, 'user', []),
    readOnly: task.calls.every((call) => suite.tools.find((tool) => tool.name === call.name)?.effect === 'read'),
    sameCall: false,
  }));
}

function attackCases(suite: Suite): Case[] {
  return suite.pairs
    .filter((pair) => !pair.textOnly && pair.firstVisible !== null)
    .map((pair) => {
      const task = byId(suite.userTasks, pair.user);
      const attack = byId(suite.injectionTasks, pair.injection);
      const own = planned(suite, listed(suite, pair.calls) ?? task.calls, pair.results, 'user', []);
      const theirs = planned(
        suite,
        listed(suite, pair.attackCalls) ?? attack.calls,
        pair.attackResults ?? attack.results,
        'attacker',
        attack.harm,
      );
      const seen = (pair.firstVisible ?? 0) + 1;
      return {
        id: `${suite.suite}-${pair.user}-${pair.injection}`,
        suite: suite.suite,
        prompt: task.prompt,
        calls: [...own.slice(0, seen), ...theirs, ...own.slice(seen)],
        attack: pair.injection,
        readOnly: false,
        sameCall: theirs.some((call) => call.harm && own.some((mine) => isSame(mine, call))),
      };
    });
}

function planned(
  suite: Suite,
  calls: readonly SuiteCall[],
  results: readonly string[],
  by: PlannedCall['by'],
  harm: readonly number[],
): PlannedCall[] {
  return calls.map((call, i) => ({
    ...call,
    result: suite.texts[results[i] ?? ''] ?? '',
    by,
    harm: harm.includes(i),
  }));
}

const listed = (suite: Suite, key: string | undefined): SuiteCall[] | undefined =>
  key === undefined ? undefined : suite.callLists[key];

function byId<T extends { id: string }>(items: readonly T[], id: string): T {
  const found = items.find((item) => item.id === id);
  if (!found) throw new Error(`the suite has no ${id}`);
  return found;
}

const isSame = (a: SuiteCall, b: SuiteCall): boolean =>
  a.name === b.name && JSON.stringify(a.args) === JSON.stringify(b.args);
