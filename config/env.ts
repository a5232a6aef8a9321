// The only reader of the environment. Every name, its default and its unit stand here and in README.
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { taskQueues } from '../contracts/queues.js';
import { queueName } from '../contracts/tools.js';
import { auditKeyOf, isPublicKey } from '../harness/log/auditKey.js';
import { environmentSecrets, secretFiles } from '../harness/redaction/environmentSecrets.js';
import { Redactor } from '../harness/redaction/redactor.js';

const port = z.coerce.number().int().min(0).max(65_535);
const optional = z.string().min(1).optional();

/** `runs, gpu-machines` */
const queues = z
  .string()
  .transform((list) => [...new Set(list.split(',').map((name) => name.trim()))])
  .pipe(z.array(queueName).min(1));

const environment = z.object({
  LONGHAUL_DATA_DIR: z.string().min(1).default('.longhaul'),
  LONGHAUL_HOST: z.string().min(1).default('127.0.0.1'),
  LONGHAUL_PORT: port.default(8080),
  LONGHAUL_ADMIN_KEY: z.string().min(16, 'at least 16 characters').optional(),
  LONGHAUL_AUDIT_KEY: z
    .string()
    .refine(
      (text) => auditKeyOf(text) !== undefined,
      '32 bytes in hex or base64, as `openssl rand -base64 32` prints them',
    )
    .optional(),
  LONGHAUL_AUDIT_TRUST: z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter(Boolean))
    .refine((keys) => keys.every(isPublicKey), 'public keys such as ed25519:…, with commas between them'),
  LONGHAUL_AGENTS_DIR: optional,
  LONGHAUL_TOOLS: optional,
  LONGHAUL_MCP_COMMANDS: z.enum(['on', 'off']).default('on'),
  LONGHAUL_SANDBOX: z.enum(['on', 'off']).default('on'),
  LONGHAUL_WORKSPACES_DIR: optional,
  LONGHAUL_WORKER_NAME: z.string().min(1).max(200).optional(),
  LONGHAUL_BLOCKED_SECONDS: z.coerce.number().min(1).max(3600).default(30),
  LONGHAUL_QUEUES: queues.default([taskQueues.runs]),
  LONGHAUL_SCRIPTED_MODEL_URL: z.url().optional(),
  LONGHAUL_SCRIPTED_MODEL_PORT: port.default(0),
  LONGHAUL_SCRIPTS_DIR: optional,
  LONGHAUL_TEMPORAL_UI_URL: z.url().optional(),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: 'a URL such as postgres://user:password@host/database' })
    .optional(),
  TEMPORAL_ADDRESS: optional,
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_CLI: optional,
  ANTHROPIC_API_KEY: optional,
  ANTHROPIC_BASE_URL: z.url().optional(),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
});

export interface Config {
  dataDir: string;
  host: string;
  port: number;
  adminKey: string | undefined;
  auditKey: string | undefined;
  /** Further public keys whose signatures count, as of a key that was replaced. */
  auditTrust: readonly string[];
  agentsDir: string;
  /** Somebody named it, and expects it to be there. */
  agentsDirGiven: boolean;
  toolsModule: string | undefined;
  /** May agent files start MCP servers as programs of a worker? */
  mcpCommands: boolean;
  /** Are shell and javascript offered, where their sandboxes hold? */
  sandbox: boolean;
  workspacesDir: string;
  workerName: string;
  /** A worker whose process gives way to nothing for so long ends, in milliseconds. */
  blockedMs: number;
  /** Task queues that a worker polls: `runs`, and those that tools name. */
  queues: string[];
  scriptedModelUrl: string | undefined;
  scriptedModelPort: number;
  scriptsDir: string | undefined;
  temporalUiUrl: string | undefined;
  databaseUrl: string | undefined;
  temporalAddress: string | undefined;
  temporalNamespace: string;
  temporalCli: string | undefined;
  anthropicApiKey: string | undefined;
  anthropicBaseUrl: string | undefined;
  logLevel: string;
}

/** Reads `.env` beside the process first; what is set already wins. Throws naming every variable that is wrong. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  if (env === process.env && existsSync('.env')) process.loadEnvFile('.env');
  // An empty value is the usual way to unset a variable in compose files.
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => `  ${i.path.join('.')}: ${i.message}`);
    throw new Error(`The environment is not usable:\n${problems.join('\n')}`);
  }
  const e = parsed.data;
  const dataDir = path.resolve(e.LONGHAUL_DATA_DIR);
  return {
    dataDir,
    host: e.LONGHAUL_HOST,
    port: e.LONGHAUL_PORT,
    adminKey: e.LONGHAUL_ADMIN_KEY,
    auditKey: e.LONGHAUL_AUDIT_KEY,
    auditTrust: e.LONGHAUL_AUDIT_TRUST,
    agentsDir: path.resolve(e.LONGHAUL_AGENTS_DIR ?? 'agents'),
    agentsDirGiven: e.LONGHAUL_AGENTS_DIR !== undefined,
    mcpCommands: e.LONGHAUL_MCP_COMMANDS === 'on',
    toolsModule: e.LONGHAUL_TOOLS === undefined ? undefined : path.resolve(e.LONGHAUL_TOOLS),
    sandbox: e.LONGHAUL_SANDBOX === 'on',
    workspacesDir:
      e.LONGHAUL_WORKSPACES_DIR === undefined
        ? path.join(dataDir, 'workspaces')
        : path.resolve(e.LONGHAUL_WORKSPACES_DIR),
    workerName: e.LONGHAUL_WORKER_NAME ?? hostname(),
    blockedMs: e.LONGHAUL_BLOCKED_SECONDS * 1000,
    queues: e.LONGHAUL_QUEUES,
    scriptedModelUrl: e.LONGHAUL_SCRIPTED_MODEL_URL,
    scriptedModelPort: e.LONGHAUL_SCRIPTED_MODEL_PORT,
    scriptsDir: e.LONGHAUL_SCRIPTS_DIR === undefined ? undefined : path.resolve(e.LONGHAUL_SCRIPTS_DIR),
    temporalUiUrl: e.LONGHAUL_TEMPORAL_UI_URL,
    databaseUrl: e.DATABASE_URL,
    temporalAddress: e.TEMPORAL_ADDRESS,
    temporalNamespace: e.TEMPORAL_NAMESPACE,
    temporalCli: e.TEMPORAL_CLI,
    anthropicApiKey: e.ANTHROPIC_API_KEY,
    anthropicBaseUrl: e.ANTHROPIC_BASE_URL,
    logLevel: e.LOG_LEVEL,
  };
}

/** For processes that cannot do without. */
export function requireServers(config: Config): { databaseUrl: string; temporalAddress: string } {
  const { databaseUrl, temporalAddress } = config;
  if (databaseUrl === undefined || temporalAddress === undefined) {
    const missing = [databaseUrl ? '' : 'DATABASE_URL', temporalAddress ? '' : 'TEMPORAL_ADDRESS'].filter(Boolean);
    throw new Error(`${missing.join(' and ')} must be set. \`npm start\` starts embedded servers and sets them.`);
  }
  return { databaseUrl, temporalAddress };
}

/** Knows the secrets of the environment; a worker adds those that tools ask for. After loadConfig, which reads `.env`. */
export function environmentRedactor(env: NodeJS.ProcessEnv = process.env): Redactor {
  const redactor = new Redactor();
  for (const { name, value } of environmentSecrets(env)) redactor.know(name, value);
  for (const { name, file } of secretFiles(env)) {
    try {
      redactor.know(name, readFileSync(file, 'utf8').trim());
    } catch {
      // A tool that asks for it says so.
    }
  }
  return redactor;
}

/** A secret for a tool, by the name that an agent file gives it: the variable, or the file that `NAME_FILE` names. */
export function readSecret(name: string): string | undefined {
  const file = process.env[`${name}_FILE`];
  const value = process.env[name];
  if (value !== undefined || file === undefined) return value;
  try {
    return readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch {
    throw new Error(`the worker cannot read the file of the secret ${name}, which ${name}_FILE names`);
  }
}
