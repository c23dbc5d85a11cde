import pico from 'picocolors';
import { headerOf } from '../services/api-gateway/exchange.ts';
import type { AnsweredRequest } from '../services/api-gateway/gateway-server.ts';

/** Renders one line about a request that was answered; a second one when the function failed. */
export function renderRequestLine({ exchange, answer, durationMs }: AnsweredRequest): string {
  const time = new Date(exchange.startedAtMs).toTimeString().slice(0, 8);
  const cache = headerOf(answer.headers, 'x-cache');
  const notes = [exchange.key?.name, exchange.coldStart === true ? 'cold' : undefined, cache?.toLowerCase()];
  const line = [
    pico.dim(time),
    exchange.httpMethod.padEnd(4),
    exchange.fullPath,
    colourOf(answer.status)(String(answer.status)),
    `${durationMs.toFixed(durationMs < 10 ? 1 : 0)} ms`,
    pico.dim(notes.filter((note) => note !== undefined).join(' ')),
  ].join('  ');
  return exchange.functionError === undefined ? line : `${line}\n          ${pico.red(exchange.functionError)}`;
}

function colourOf(status: number): (text: string) => string {
  if (status >= 500) return pico.red;
  return status >= 400 ? pico.yellow : pico.green;
}
