package loyalty

import "context"

// Award is what is left of an [Earn], [Import] or positive [Adjust].
type Award struct {
	Transaction Transaction
	Lines       []AwardLine
}

// AwardLine is one lot of an award in the account that earned it.
type AwardLine struct {
	Lot      string
	Line     string
	Amount   int64 // what was given
	Returned int64 // points taken back by returns
	// Basis is what was earned on, BasisReturned the part returned.
	Basis         int64
	BasisReturned int64
}

// Award reads an award by its key, or gives [ErrNotFound].
func (l *Ledger) Award(ctx context.Context, key string) (Award, error) {
	if err := checkKey("Key", key); err != nil {
		return Award{}, err
	}
	q := Query{Program: l.cfg.Program, Keys: []string{key}}
	a, err := l.store.Load(ctx, q)
	if err != nil {
		return Award{}, err
	}
	if len(a.Transactions) == 0 || len(a.Transactions[0].Opens) == 0 {
		return Award{}, ErrNotFound
	}
	t := a.Transactions[0].Transaction
	if t.Kind != KindEarn && t.Kind != KindImport && t.Kind != KindAdjust {
		return Award{}, ErrNotFound
	}
	q.Keys = nil
	for i := range t.Opens {
		q.Lots = append(q.Lots, LotKey{t.Opens[i].Account, t.Opens[i].ID})
	}
	if a, err = l.store.Load(ctx, q); err != nil {
		return Award{}, err
	}
	rows := make(map[string]*Lot, len(a.Lots))
	for i := range a.Lots {
		rows[a.Lots[i].ID] = &a.Lots[i]
	}
	out := Award{Transaction: t}
	for i := range t.Opens {
		row := rows[t.Opens[i].ID]
		if row == nil {
			return Award{}, ErrNotFound
		}
		out.Lines = append(out.Lines, AwardLine{
			Lot: row.ID, Line: row.Line, Amount: t.given(row.ID), Returned: row.Returned,
			Basis: row.Basis, BasisReturned: row.BasisReturned,
		})
	}
	return out, nil
}
