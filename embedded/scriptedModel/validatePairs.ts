// Every tool_use is answered in the very next message, whole, results first; ids are unique in the request.
import { type Block, type Message, blocksOf } from './conversation.js';

export function pairsProblem(messages: readonly Message[]): string | undefined {
  const used = new Set<unknown>();
  for (const [i, message] of messages.entries()) {
    const asked = blocksOf(message.content).filter((b) => b.type === 'tool_use');
    for (const { id } of asked) {
      if (used.has(id)) return `messages.${i}: \`tool_use\` ids must be unique`;
      used.add(id);
    }
    const before = i === 0 ? [] : blocksOf(messages[i - 1]?.content).filter((b) => b.type === 'tool_use');
    const problem = resultsProblem(blocksOf(message.content), before, i);
    if (problem !== undefined) return problem;
    if (i === messages.length - 1 && asked.length > 0) return unanswered(asked, i);
  }
  return undefined;
}

function resultsProblem(blocks: readonly Block[], before: readonly Block[], i: number): string | undefined {
  const results = blocks.filter((b) => b.type === 'tool_result');
  const answered = new Set(results.map((r) => r['tool_use_id']));
  const orphan = results.find((r) => !before.some((b) => b['id'] === r['tool_use_id']));
  if (orphan) {
    return `messages.${i}.content.${blocks.indexOf(orphan)}: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${String(orphan['tool_use_id'])}. Each \`tool_result\` block must have a corresponding \`tool_use\` block in the previous message.`;
  }
  if (answered.size < results.length) {
    return `messages.${i}: each tool_use must have a single result. Found multiple \`tool_result\` blocks with one id`;
  }
  const open = before.filter((b) => !answered.has(b['id']));
  if (open.length > 0) return unanswered(open, i - 1);
  return blocks.slice(0, results.length).some((b) => b.type !== 'tool_result')
    ? `messages.${i}: \`tool_result\` blocks must come first in the message`
    : undefined;
}

const unanswered = (open: readonly Block[], i: number): string =>
  `messages.${i}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${open.map((b) => String(b['id'])).join(', ')}. Each \`tool_use\` block must have a corresponding \`tool_result\` block in the next message.`;
