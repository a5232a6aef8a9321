// The calls of one reply: known tool, unique id, schema, policy, in this order. Rejected ones get a text from which
// the model can repair them; ids and names that would make the conversation invalid are repaired in its content.
import type { ContentBlock, ModelStopReason } from '../../contracts/conversation.js';
import type { AppliedRule, CallDecision } from '../../contracts/policy.js';
import type { ToolDefinition, ToolVerdict } from '../../contracts/tools.js';
import { toolInCall } from '../callEffect.js';
import { digestOf } from '../canonical.js';
import { nearest } from '../nearest.js';
import { checkArguments } from './checkArguments.js';
import { ASKED_EACH_TIME } from './defaultPolicy.js';
import type { ProvenanceIndex } from '../provenance/provenanceIndex.js';
import { provenanceOfCall } from '../provenance/provenanceOfCall.js';
import type { Policy, PolicyFacts, Verdict } from './compilePolicy.js';
import { notPlain } from './plainJson.js';
import { oneLine, summaryOf } from './summary.js';

export interface JudgeInput {
  content: readonly ContentBlock[];
  stopReason: ModelStopReason;
  step: number;
  tools: readonly ToolDefinition[];
  policy: Policy;
  /** Those ids among the proposed ones that the run has used before. */
  seenToolCallIds: ReadonlySet<string>;
  /** What people said earlier in the run that counts for later calls. */
  answers: readonly EarlierAnswer[];
  facts: PolicyFacts;
  /** Calls whose arguments held what must not leave. */
  leaks?: ReadonlyMap<ContentBlock, Leak>;
  /** Of everything that the model had before it when it replied. Asked for only where it counts: it is work. */
  provenance: () => ProvenanceIndex;
  /** Calls of one reply above this number are rejected. */
  maxToolCallsPerStep?: number;
}

/** Names of what was in the arguments, in any spelling. The arguments themselves are without it. */
export interface Leak {
  names: readonly string[];
  kind: 'secret' | 'canary';
}

/** A yes to all calls of this tool that this rule asks about, or a no to the call with exactly these arguments. */
export interface EarlierAnswer {
  /** Of the approval. */
  id: string;
  tool: string;
  rule: string;
  /** Every rule that asked about that call. */
  rules: readonly string[];
  argumentsDigest: string;
  approved: boolean;
}

export interface JudgedCall {
  toolCallId: string;
  /** Place among the calls of the reply, from 0. */
  index: number;
  name: string;
  tool?: ToolDefinition;
  arguments: unknown;
  argumentsDigest: string;
  verdict: ToolVerdict;
  rule: string;
  reason: string;
  /** The approval of a like call that covers this one. */
  coveredBy?: string;
  /** Absent for calls that never came to be judged by rules. */
  decision?: CallDecision;
  /** With `reject`: what the model is told. */
  errorText?: string;
  summary: string;
}

export interface Judgement {
  content: ContentBlock[];
  repairedIds: { from: string; to: string }[];
  calls: JudgedCall[];
}

const MAX_CALLS = 64;
/** So often a person may refuse one and the same call; then it is refused without asking. */
const MAX_REFUSALS = 2;
const VALID_ID = /^[a-zA-Z0-9_-]{1,128}$/;
/** Ids that `uniqueId` makes. A model cannot use them, so that a made one never meets an id of an earlier step. */
const MADE_ID = /^call_s\d+_\d+/;

/** An id that a call of a model may have; only such ids need to be looked up among the run's earlier ones. */
export const isToolCallId = (id: unknown): id is string =>
  typeof id === 'string' && VALID_ID.test(id) && !MADE_ID.test(id);

export function judgeToolCalls(input: JudgeInput): Judgement {
  // A block that is no object would make every later request invalid.
  const blocks = input.content.filter(isObject);
  const uses = blocks.filter((block) => block.type === 'tool_use');
  const counts = new Map<unknown, number>();
  for (const use of uses) counts.set(use['id'], (counts.get(use['id']) ?? 0) + 1);
  const taken = new Set<string>(input.seenToolCallIds);
  const repairedIds: Judgement['repairedIds'] = [];
  const calls: JudgedCall[] = [];

  const content = blocks.map((block): ContentBlock => {
    if (block.type !== 'tool_use') return block;
    const index = calls.length;
    const toolCallId = uniqueId(block['id'], input.step, index, taken);
    if (toolCallId !== block['id']) repairedIds.push({ from: printable(block['id']), to: toolCallId });
    const name = validName(block['name']);
    // What has no canonical form is not kept: neither a digest nor a later request can be made of it.
    const args = isObject(block['input']) && !notPlain(block['input']) ? block['input'] : {};
    const idProblem = problemOfId(block['id'], counts, input.seenToolCallIds);
    calls.push(judgeOne(input, { toolCallId, index, name, block, args, idProblem }));
    const unchanged = toolCallId === block['id'] && name === block['name'] && args === block['input'];
    return unchanged ? block : { ...block, id: toolCallId, name, input: args };
  });
  return { content, repairedIds, calls };
}

interface Proposed {
  toolCallId: string;
  index: number;
  name: string;
  block: ContentBlock;
  args: object;
  idProblem: string | undefined;
}

function judgeOne(input: JudgeInput, p: Proposed): JudgedCall {
  const named = input.tools.find((t) => t.name === p.block['name']);
  const tool = named && toolInCall(named, p.args);
  const base = {
    toolCallId: p.toolCallId,
    index: p.index,
    name: p.name,
    ...(tool === undefined ? {} : { tool }),
    arguments: p.args,
    argumentsDigest: digestOf(p.args),
    summary: summaryOf(p.name, tool, p.args),
  };
  const rejected = (rule: string, errorText: string): JudgedCall => ({
    ...base,
    verdict: 'reject',
    rule,
    reason: oneLine(errorText.slice(0, 300)),
    errorText,
  });

  if (input.stopReason !== 'tool_use') {
    return rejected('cut-off', `${CUT_OFF} Nothing was executed. Send the call again, shorter.`);
  }
  if (p.idProblem !== undefined) return rejected('tool-call-id', p.idProblem);
  const maxCalls = input.maxToolCallsPerStep ?? MAX_CALLS;
  if (p.index >= maxCalls) {
    return rejected(
      'too-many-calls',
      `At most ${maxCalls} calls are taken in one reply. Nothing was executed; call again.`,
    );
  }
  const leak = input.leaks?.get(p.block);
  if (leak) return rejected(`egress:${leak.kind}`, leakText(leak));
  if (tool === undefined) return rejected('unknown-tool', unknownTool(p.name, input.tools));
  const check = checkArguments(tool, p.block['input']);
  if (!check.ok) return rejected('arguments', check.message);

  const provenance = input.policy.looksAtProvenance(tool)
    ? provenanceOfCall(input.provenance(), tool, p.args)
    : undefined;
  const facts = provenance === undefined ? input.facts : { ...input.facts, provenance };
  const { applied, ...verdict } = cautious(tool, input.policy.judge(tool, p.args, facts));
  const decision = { rules: applied, ...(provenance === undefined ? {} : { provenance }) };
  const judged = { ...base, ...verdict, decision };
  if (verdict.verdict === 'reject') {
    return { ...judged, errorText: `Refused by rule ${verdict.rule}: ${verdict.reason}. Nothing was executed.` };
  }
  if (verdict.verdict !== 'ask' || tool.waits !== undefined) return judged;
  const answers = input.answers.filter((answer) => answer.tool === tool.name);
  const refusals = answers.filter((a) => !a.approved && a.argumentsDigest === base.argumentsDigest).length;
  if (refusals >= MAX_REFUSALS) {
    return rejected('refused-before', `${REFUSED_BEFORE} Nothing was executed. Do something else.`);
  }
  const covering = coveringAnswer(applied, answers);
  if (covering === undefined) return judged;
  const reason = `${verdict.reason}; a person approved calls like this for the run (${covering})`;
  return { ...judged, verdict: 'execute', reason, coveredBy: covering };
}

/** A yes that was said because of the same rule, and with every other one that asks now in view as well. */
function coveringAnswer(applied: readonly AppliedRule[], answers: readonly EarlierAnswer[]): string | undefined {
  const asking = applied.filter((rule) => rule.effect === 'ask').map((rule) => rule.id);
  if (asking.some((id) => ASKED_EACH_TIME.has(id))) return undefined;
  const covers = (a: EarlierAnswer): boolean =>
    a.approved && a.rule === asking[0] && asking.slice(1).every((id) => a.rules.includes(id));
  return answers.find(covers)?.id;
}

const leakText = ({ names, kind }: Leak): string =>
  `The arguments held the ${kind} ${names.join(', ')}, as it is, encoded or in parts. Nothing was executed. ` +
  'Call again without it: a tool that needs a secret is given it by the service.';

/** What an MCP tool does is not taken from its server: where nobody has said it, and no rule speaks of it, a person is asked. */
const cautious = (tool: ToolDefinition, judged: Verdict): Verdict =>
  tool.mcp?.undeclared === true && judged.verdict === 'execute' && judged.rule.startsWith('default/')
    ? undeclared(tool, judged)
    : judged;

function undeclared({ name }: ToolDefinition, { applied }: Verdict): Verdict {
  const rule = { id: 'mcp-undeclared', effect: 'ask' as const, reason: `nobody has said what ${name} does` };
  return { verdict: 'ask', rule: rule.id, reason: rule.reason, applied: [rule, ...applied] };
}

const REFUSED_BEFORE = `A person has refused this very call ${MAX_REFUSALS} times, so nobody was asked again.`;

const CUT_OFF = 'The reply was cut off before this call was complete, so its arguments cannot be trusted.';

function unknownTool(name: string, tools: readonly ToolDefinition[]): string {
  const names = tools.map((t) => t.name);
  const list = names.length === 0 ? 'You have no tools.' : `The tools are: ${names.join(', ')}.`;
  const hint = nearest(name, names) || '.';
  return `There is no tool ${name}${hint} ${list} Nothing was executed.`.slice(0, 3000);
}

function problemOfId(id: unknown, counts: ReadonlyMap<unknown, number>, seen: ReadonlySet<string>): string | undefined {
  if (!isToolCallId(id)) return 'The call had no valid id. Nothing was executed; call again.';
  if ((counts.get(id) ?? 0) > 1) {
    return `Several calls of this reply had the id ${id}. None of them was executed; call again.`;
  }
  if (seen.has(id)) return `The id ${id} was used before in this run. Nothing was executed; call again.`;
  return undefined;
}

/** The id itself where it is valid and free; else one that every attempt derives again. Ids taken are added. */
function uniqueId(id: unknown, step: number, index: number, taken: Set<string>): string {
  let unique = isToolCallId(id) && !taken.has(id) ? id : `call_s${step}_${index}`;
  for (let n = 0; taken.has(unique); n++) unique = `call_s${step}_${index}_${n}`;
  taken.add(unique);
  return unique;
}

// The Messages API refuses a request in which a tool_use block has another name than this.
function validName(name: unknown): string {
  const text = typeof name === 'string' ? name.replaceAll(/[^a-zA-Z0-9_-]/g, '_').slice(0, 128) : '';
  return text === '' ? 'unnamed' : text;
}

const printable = (id: unknown): string =>
  oneLine((typeof id === 'string' ? id : `(${id === null ? 'null' : typeof id})`).slice(0, 200));
const isObject = <T>(value: T): value is T & object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
