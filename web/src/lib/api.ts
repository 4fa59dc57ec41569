// Requests to the API: JSON there and back, the cookie of this page, errors as the server tells them.
import { text } from '../strings'
import { server } from './server.svelte'

/** An answer that is not a success; `status` is 0 where the server could not be reached. */
export class Refused extends Error {
  constructor(readonly status: number, detail: string, readonly suggestions: string[] = []) {
    super(detail)
  }
}

/** The last part of a path from an id, in which a slash is no separator. */
export const part = encodeURIComponent

export type Query = Record<string, string | number | boolean | undefined>

export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const parameters = new URLSearchParams(given.map(([name, value]) => [name, String(value)]))
  return `v1/${path}${given.length ? `?${parameters}` : ''}`
}

let signedOut = (): void => undefined
/** Have `handle` called when the server does not know this browser's session any more. */
export const whenSignedOut = (handle: () => void): void => void (signedOut = handle)

async function call<T>(method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<T> {
  const headers: Record<string, string> = { 'X-Crossfade': 'page' }
  const json = body !== undefined && !(body instanceof Blob)
  if (json) headers['Content-Type'] = 'application/json'
  let response: Response
  try {
    const sent = body instanceof Blob ? body : json ? JSON.stringify(body) : null
    response = await fetch(url, { method, headers, body: sent, signal: signal ?? null })
  } catch (error) {
    if (signal?.aborted) throw error
    server.lost()
    throw new Refused(0, text.errors.unreachable)
  }
  if (response.ok) return (response.status === 204 ? undefined : await response.json()) as T
  if (response.status === 401 && url !== address('session')) signedOut()
  const problem = await response.json().catch(() => ({}))
  throw new Refused(response.status, problem.detail ?? problem.title ?? response.statusText, problem.suggestions ?? [])
}

export const get = <T>(path: string, query?: Query, signal?: AbortSignal) =>
  call<T>('GET', address(path, query), undefined, signal)
export const post = <T>(path: string, body?: unknown, query?: Query) => call<T>('POST', address(path, query), body)
export const put = <T>(path: string, body?: unknown) => call<T>('PUT', address(path), body)
export const del = <T>(path: string, query?: Query) => call<T>('DELETE', address(path, query))
