// Numbers, times and tool calls as people read them.
import { oneLine } from './style.js';

/** 12:03:04, in the reader's own zone. */
export const clock = (iso: string): string => {
  const at = new Date(iso);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, '0')).join(':');
};

/** 0.3 s, 41 s, 3 min 20 s, 2 h 5 min, 3 d 4 h */
export function length(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 9.95) return `${s.toFixed(1)} s`;
  const whole = Math.round(s);
  if (whole < 60) return `${whole} s`;
  const [minutes, hours, days] = [Math.floor(whole / 60), Math.floor(whole / 3600), Math.floor(whole / 86_400)];
  if (hours === 0) return two(minutes, 'min', whole % 60, 's');
  if (days === 0) return two(hours, 'h', minutes % 60, 'min');
  return two(days, 'd', hours % 24, 'h');
}

const two = (a: number, unitA: string, b: number, unitB: string): string =>
  b === 0 ? `${a} ${unitA}` : `${a} ${unitA} ${b} ${unitB}`;

/** "in 23 h" or "5 min ago" */
export function relative(iso: string, nowMs = Date.now()): string {
  const ms = Date.parse(iso) - nowMs;
  const coarse = length(Math.abs(ms)).split(' ').slice(0, 2).join(' ');
  return ms >= 0 ? `in ${coarse}` : `${coarse} ago`;
}

/** 17 s, 5 min, 23 h, 4 d */
export const age = (iso: string, nowMs = Date.now()): string =>
  length(nowMs - Date.parse(iso))
    .replace(/\.\d/, '')
    .split(' ')
    .slice(0, 2)
    .join(' ');

/** 2026-11-23 12:03, in the reader's own zone. */
export function moment(iso: string): string {
  const at = new Date(iso);
  const date = [at.getFullYear(), at.getMonth() + 1, at.getDate()].map((n) => String(n).padStart(2, '0')).join('-');
  return `${date} ${clock(iso).slice(0, 5)}`;
}

/** To a hundredth of a cent; --json has every digit. */
export function usd(decimal: string): string {
  const value = Number(decimal);
  if (value > 0 && value < 0.0001) return '<$0.0001';
  return `$${value.toFixed(value < 1 && !Number.isInteger(value * 100) ? 4 : 2)}`;
}

export const count = (n: number): string => n.toLocaleString('en-US');

export const plural = (n: number, noun: string): string => `${count(n)} ${noun}${n === 1 ? '' : 's'}`;

export const totalTokens = (usage: {
  inputTokens: number;
  outputTokens: number;
  cacheReadTokens: number;
  cacheWriteTokens: number;
}): number => usage.inputTokens + usage.outputTokens + usage.cacheReadTokens + usage.cacheWriteTokens;

export const shortVersion = (version: string): string => version.slice(0, 12);

/** refund(orderId="RD-1042", amountUsd=18.5), each value cut to `maxValue` characters. */
export function callText(tool: string, args: unknown, maxValue = 40): string {
  if (typeof args !== 'object' || args === null) return `${tool}(…)`;
  const shown = Object.entries(args).map(([name, value]) => `${name}=${short(value, maxValue)}`);
  return oneLine(`${tool}(${shown.join(', ')})`);
}

function short(value: unknown, max: number): string {
  const text = JSON.stringify(value) ?? 'undefined';
  if (text.length <= max) return text;
  return `${text.slice(0, max - 1).toWellFormed()}…${text.startsWith('"') ? '"' : ''}`;
}

/** The texts among content blocks. */
export function textOf(blocks: unknown): string {
  if (typeof blocks === 'string') return blocks;
  if (!Array.isArray(blocks)) return '';
  return blocks
    .flatMap((block: unknown) =>
      typeof block === 'object' && block !== null && 'text' in block && typeof block.text === 'string'
        ? [block.text]
        : [],
    )
    .join('\n');
}
