import type { RouteDefinition } from 'svelte-spa-router'
import Artist from './pages/Artist.svelte'
import Home from './pages/Home.svelte'
import NotFound from './pages/NotFound.svelte'
import Radio from './pages/Radio.svelte'
import Search from './pages/Search.svelte'
import Track from './pages/Track.svelte'

export const routes: RouteDefinition = {
  '/': Home,
  '/search': Search,
  '/radio': Radio,
  '/artist/:id': Artist,
  '/show/:id': Artist,
  '/track/:id': Track,
  '/episode/:id': Track,
  '*': NotFound,
}
