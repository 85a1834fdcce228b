package profile

import "iter"

// anchors find evidence by the IDs that it has minted, or that came to it.
type anchors struct {
	present index[*evidence]
	former  map[ID]*evidence // IDs of evidence that went into other evidence; nil for one that is gone
}

func newAnchors(shards int) anchors {
	return anchors{newIndex[*evidence](shards), map[ID]*evidence{}}
}

func (e *evidence) is(_ int, anchor string) bool { return string(e.anchor) == anchor }

// get finds the evidence; known is true, without any, for an ID that is gone.
func (a *anchors) get(id ID) (e *evidence, known bool) {
	if e := a.present.get(0, string(id)); e != nil {
		return e, true
	}
	e, known = a.former[id]
	return e, known
}

// set makes an ID that of evidence, or gone where there is none.
func (a *anchors) set(id ID, e *evidence) {
	delete(a.former, id)
	a.present.remove(0, string(id))
	if e != nil && e.anchor == id {
		a.present.put(0, string(id), e)
		return
	}
	a.former[id] = e
}

// add is set for an ID just minted.
func (a *anchors) add(e *evidence) { a.present.put(0, string(e.anchor), e) }

// all yields every ID with its evidence, in no order. The loop must not set.
func (a *anchors) all() iter.Seq2[ID, *evidence] {
	return func(yield func(ID, *evidence) bool) {
		for e := range a.present.all() {
			if !yield(e.anchor, e) {
				return
			}
		}
		for id, e := range a.former {
			if !yield(id, e) {
				return
			}
		}
	}
}
