// AgentDojo's tasks and attacks as they lie in agentdojo/suites: see the README there for every field.
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export interface SuiteCall {
  name: string;
  args: Record<string, unknown>;
}

interface SuiteTool {
  name: string;
  description: string;
  inputSchema: Record<string, unknown>;
  effect: 'read' | 'write';
  external: boolean;
}

interface UserTask {
  id: string;
  prompt: string;
  calls: SuiteCall[];
  results: string[];
}

interface InjectionTask {
  id: string;
  textOnly: boolean;
  calls: SuiteCall[];
  results: string[];
  harm: number[];
}

interface Pair {
  user: string;
  injection: string;
  textOnly: boolean;
  results: string[];
  firstVisible: number | null;
  calls?: string;
  attackCalls?: string;
  attackResults?: string[];
}

export interface Suite {
  suite: string;
  tools: SuiteTool[];
  userTasks: UserTask[];
  injectionTasks: InjectionTask[];
  pairs: Pair[];
  texts: Record<string, string>;
  callLists: Record<string, SuiteCall[]>;
}

export function loadSuites(folder: string): Suite[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8')) as Suite);
}
