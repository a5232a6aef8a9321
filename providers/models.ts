// Which provider serves a model id, or which key is missing for it.
import { createAnthropicProvider, type AnthropicOptions } from './anthropic.js';
import type { ModelProvider } from './modelProvider.js';

export interface ModelsConfig {
  anthropicApiKey?: string | undefined;
  anthropicBaseUrl?: string | undefined;
  /** Address of the scripted model server, for `model: scripted/…`. */
  scriptedModelUrl?: string | undefined;
}

export type ModelLookup = { name: string } & ({ ok: true; provider: ModelProvider } | { ok: false; missing: string });

export interface Models {
  forModel(model: string): ModelLookup;
}

export const SCRIPTED_PREFIX = 'scripted/';

export function createModels(config: ModelsConfig, log?: AnthropicOptions['log']): Models {
  const withLog = log === undefined ? {} : { log };
  const scripted =
    config.scriptedModelUrl === undefined
      ? undefined
      : createAnthropicProvider({ apiKey: 'scripted', baseUrl: config.scriptedModelUrl, ...withLog });
  const anthropic =
    config.anthropicApiKey === undefined
      ? undefined
      : createAnthropicProvider({
          apiKey: config.anthropicApiKey,
          ...(config.anthropicBaseUrl === undefined ? {} : { baseUrl: config.anthropicBaseUrl }),
          ...withLog,
        });
  return {
    forModel(model) {
      const [name, provider, variable] = model.startsWith(SCRIPTED_PREFIX)
        ? ['scripted', scripted, 'LONGHAUL_SCRIPTED_MODEL_URL']
        : ['anthropic', anthropic, 'ANTHROPIC_API_KEY'];
      return provider
        ? { name, ok: true, provider }
        : {
            name,
            ok: false,
            missing: `${variable} is not set on the worker. Set it and restart the worker; the run goes on by itself.`,
          };
    },
  };
}
