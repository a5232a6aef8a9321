// javascript: code without any way out, for calculating and for bringing data into shape.
import type { JavascriptLimits } from '../../contracts/sandboxLimits.js';
import type { ToolDefinition } from '../../contracts/tools.js';
import { TURN_MS } from '../../harness/agents/sandboxTool.js';
import { runJavascript } from '../../sandbox/javascript.js';
import type { JavascriptResult } from '../../sandbox/javascriptCall.js';
import { defaultJavascriptLimits } from '../../sandbox/limits.js';
import type { Sandboxes } from '../../sandbox/sandboxes.js';
import { ToolError, type ToolExecutor } from '../execution.js';
import type { ToolResult } from '../result.js';

const MAX_CODE = 65_536;

interface Arguments {
  code: string;
  input?: unknown;
}

export const javascriptDefinition: ToolDefinition = {
  name: 'javascript',
  description:
    'Run JavaScript to calculate or to bring data into shape. The value of the last expression is the result, or what ' +
    '`return` gives; it must have a JSON form. `input` is the value given as input. console.log is shown. There is no ' +
    'network, no file, no timer, no import and no Node.',
  input: {
    type: 'object',
    properties: {
      code: { type: 'string', minLength: 1, maxLength: MAX_CODE },
      input: { description: 'Any JSON value; the code sees it as `input`' },
    },
    required: ['code'],
    additionalProperties: false,
  },
  effect: 'read',
  labels: ['untrusted'],
  controls: [],
  external: false,
  timeoutMs: defaultJavascriptLimits.timeoutMs + TURN_MS,
  maxAttempts: 4,
  source: 'builtIn',
  javascript: defaultJavascriptLimits,
};

export function javascriptTool(definition: ToolDefinition, sandboxes: Sandboxes): ToolExecutor {
  const limits = definition.javascript ?? defaultJavascriptLimits;
  return {
    definition,
    async execute(args, ctx) {
      const sandbox = await sandboxes.javascript();
      if (!sandbox.holds) {
        throw new ToolError(`There is no JavaScript on this worker: ${sandbox.reason}. Nothing was executed.`);
      }
      const { code, input = null } = args as Arguments;
      return shown(await runJavascript({ code, input: JSON.stringify(input), limits }, ctx.signal), limits);
    },
  };
}

function shown(result: JavascriptResult, limits: JavascriptLimits): ToolResult {
  const console = result.console === '' ? '' : `\n[console]\n${result.console}`;
  switch (result.ended) {
    case 'returned':
      return { content: `${result.json ?? 'No value: end with an expression, or use return.'}${console}` };
    case 'threw':
      return failure(result.error);
    case 'timeout':
      return failure(`The code was ended after ${limits.timeoutMs / 1000} s, its time limit.`);
    case 'memory':
      return failure(`The code used more than ${Math.round(limits.memoryBytes / 1024 ** 2)} MiB of memory.`);
    case 'recursion':
      return failure('The code calls itself too deeply. Use a loop.');
    case 'stopped':
      return failure('The code was stopped.');
    case 'broken':
      return failure('The code broke the machine that ran it. Do it in another way.');
  }

  function failure(text: string): ToolResult {
    return { content: `${text}${console}`, isError: true };
  }
}
