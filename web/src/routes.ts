import type { RouteDefinition } from 'svelte-spa-router'
import Album from './pages/Album.svelte'
import Artist from './pages/Artist.svelte'
import Genres from './pages/Genres.svelte'
import Home from './pages/Home.svelte'
import NotFound from './pages/NotFound.svelte'
import Playlist from './pages/Playlist.svelte'
import Playlists from './pages/Playlists.svelte'
import Radio from './pages/Radio.svelte'
import Search from './pages/Search.svelte'
import System from './pages/System.svelte'
import Tag from './pages/Tag.svelte'
import Track from './pages/Track.svelte'
import You from './pages/You.svelte'

export const routes: RouteDefinition = {
  '/': Home,
  '/search': Search,
  '/radio': Radio,
  '/playlists': Playlists,
  '/playlists/:id': Playlist,
  '/genres': Genres,
  '/genres/:tag': Tag,
  '/you/:tab?': You,
  '/system/:tab?': System,
  '/artist/:id': Artist,
  '/show/:id': Artist,
  '/track/:id': Track,
  '/album/:artist/:name': Album,
  '/episode/:id': Track,
  '*': NotFound,
}
