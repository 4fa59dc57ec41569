// Addresses of pages.
import { part } from './api'

export const pageOf = (kind: string, id: string): string => `#/${kind}/${part(id)}`
export const albumPage = (artist: string, album: string): string => `#/album/${part(artist)}/${part(album)}`
export const tagPage = (tag: string): string => `#/genres/${part(tag)}`
export const playlistPage = (id: string): string => `#/playlists/${part(id)}`
/** A parameter of a route as the id it stands for. */
export const given = (params: Record<string, string> | undefined, name: string): string => params?.[name] ?? ''
