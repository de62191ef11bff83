import { Autocomplete } from '@base-ui/react/autocomplete'
import { Dialog } from '@base-ui/react/dialog'
import { MessageSquare, Search } from 'lucide-react'
import { type ReactElement, useEffect, useState } from 'react'
import { type Hit, searchChats } from '../chat/search.ts'
import { useChats, usePage } from './app-context.ts'
import { ageGroup } from './format.ts'
import { useUi } from './ui-state.ts'

function useHits(query: string): Hit[] {
  const { chats: store } = usePage()
  const chats = useChats((state) => state.chats)
  const [hits, setHits] = useState<Hit[]>([])
  useEffect(() => {
    let stale = false
    const timer = setTimeout(async () => {
      const found = await searchChats(query, chats, store.db)
      if (!stale) setHits(found)
    }, 80)
    return () => {
      stale = true
      clearTimeout(timer)
    }
  }, [query, chats, store])
  return hits
}

function HitView({ hit, open }: { hit: Hit; open(): void }) {
  return (
    <Autocomplete.Item value={hit} className="search-hit" onClick={open}>
      <MessageSquare aria-hidden="true" />
      <span className="search-title">{hit.chat.title}</span>
      <span className="search-age">{ageGroup(hit.chat.updatedAt)}</span>
      {hit.snippet && hit.snippet !== hit.chat.title ? (
        <span className="search-snippet">{hit.snippet}</span>
      ) : null}
    </Autocomplete.Item>
  )
}

function SearchPanel({ close }: { close(): void }) {
  const { chats } = usePage()
  const ui = useUi()
  const [query, setQuery] = useState('')
  const hits = useHits(query)
  const open = (hit: Hit) => {
    void chats.open(hit.chat.id)
    ui.closeDrawer()
    close()
  }
  return (
    <Autocomplete.Root
      open
      inline
      items={hits}
      filter={null}
      value={query}
      onValueChange={(value, details) => {
        // Choosing a hit would write its title into the field.
        if (details.reason !== 'item-press') setQuery(value)
      }}
      itemToStringValue={(hit: Hit) => hit.chat.title}
      autoHighlight="always"
      keepHighlight
    >
      <div className="search-field">
        <Search aria-hidden="true" />
        <Autocomplete.Input placeholder="Search titles and messages" aria-label="Search chats" />
        <Dialog.Close className="text-button">Esc</Dialog.Close>
      </div>
      <Autocomplete.Empty className="search-empty">
        {query ? 'Nothing found.' : 'No chats yet.'}
      </Autocomplete.Empty>
      <Autocomplete.List className="search-list">
        {(hit: Hit) => <HitView key={hit.chat.id} hit={hit} open={() => open(hit)} />}
      </Autocomplete.List>
    </Autocomplete.Root>
  )
}

export function SearchDialog(): ReactElement {
  const ui = useUi()
  const close = () => ui.show(undefined)
  return (
    <Dialog.Root open={ui.dialog === 'search'} onOpenChange={(open) => !open && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog search" aria-label="Search chats">
          <SearchPanel close={close} />
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  )
}
