// The secrets of this worker, by the names that agents and tools give: whatever is read is known to the redactor.
import type { Logger } from 'pino';
import { readSecret } from '../config/env.js';
import type { AgentDefinition } from '../contracts/agent.js';
import { secretsIn } from '../contracts/secrets.js';
import type { Redactor, SecretKind } from '../harness/redaction/redactor.js';

export interface Secrets {
  read(name: string): string | undefined;
  /** Before an agent runs here: what its tools may be given, and its canaries. */
  learn(definition: AgentDefinition): void;
}

export function secretsOf(redactor: Redactor, log: Logger): Secrets {
  const said = new Set<string>();
  const warn = (name: string, text: string): void => {
    if (!said.has(name)) log.warn({ secret: name }, text);
    said.add(name);
  };
  const read = (name: string, kind: SecretKind): string | undefined => {
    const value = readSecret(name);
    const weakness = value === undefined ? undefined : redactor.know(name, value, kind);
    if (weakness !== undefined) {
      warn(name, `the ${kind} ${name} ${weakness}: it cannot be told from ordinary text and is not removed from it`);
    }
    return value;
  };
  /** A file that cannot be read is told when the tool asks for it. */
  const learned = (name: string, kind: SecretKind = 'secret'): string | undefined => {
    try {
      return read(name, kind);
    } catch {
      return undefined;
    }
  };
  return {
    read: (name) => read(name, 'secret'),
    learn({ tools, mcp, canaries = [] }) {
      const names = tools.flatMap((tool) =>
        typeof tool !== 'string' && 'http' in tool && tool.http.secret !== undefined ? [tool.http.secret] : [],
      );
      for (const name of [...names, ...secretsIn(JSON.stringify([tools, mcp]))]) learned(name);
      for (const name of canaries) {
        if (learned(name, 'canary') === undefined) warn(name, `the canary ${name} is not set on this worker`);
      }
    },
  };
}
