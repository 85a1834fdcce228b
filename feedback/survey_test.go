package feedback_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/cxkit/cxkit/feedback"
)

func nps(name string, p feedback.Program) feedback.Survey {
	return feedback.Survey{
		Name: name, Program: p,
		Questions: []feedback.Question{
			{Key: "recommend", Kind: feedback.NPS, Scale: feedback.UsualScale(feedback.NPS)},
			{Key: "why", Kind: feedback.Text, Optional: true},
		},
	}
}

func stars(name string) feedback.Survey {
	return feedback.Survey{Name: name, Questions: []feedback.Question{
		{Key: "stars", Kind: feedback.Stars, Scale: feedback.UsualScale(feedback.Stars)},
	}}
}

func TestUsualScalesPutRatingsInTheirBoxes(t *testing.T) {
	s := feedback.UsualScale(feedback.NPS)
	for v := range 11 {
		assert.Equal(t, v >= 9, s.IsTop(v), v)
		assert.Equal(t, v <= 6, s.IsBottom(v), v)
	}
	effort := feedback.Scale{Min: 1, Max: 5, Top: 2, Bottom: 4, LowerIsBetter: true}
	assert.True(t, effort.IsTop(1) && effort.IsTop(2) && !effort.IsTop(3))
	assert.True(t, effort.IsBottom(5) && effort.IsBottom(4) && !effort.IsBottom(3))
	assert.True(t, effort.Worse(5, 1))
}

func TestSurveysAreRefusedByField(t *testing.T) {
	for says, spoil := range map[string]func(*feedback.Survey){
		"name":        func(s *feedback.Survey) { s.Name = "" },
		"say which":   func(s *feedback.Survey) { s.Program = "" },
		`"annual" is`: func(s *feedback.Survey) { s.Program = "annual" },
		"questions":   func(s *feedback.Survey) { s.Questions = nil },
		"0 to 10":     func(s *feedback.Survey) { s.Questions[0].Scale.Max = 5 },
		"scale from":  func(s *feedback.Survey) { s.Questions[0].Kind = feedback.CSAT; s.Questions[0].Scale = feedback.Scale{} },
		"boxes": func(s *feedback.Survey) {
			s.Questions[0].Kind = feedback.CSAT
			s.Questions[0].Scale = feedback.Scale{Min: 1, Max: 5, Top: 2, Bottom: 4}
		},
		"twice":        func(s *feedback.Survey) { s.Questions[1].Key = "recommend" },
		"at least two": func(s *feedback.Survey) { s.Questions[1].Kind = feedback.Choice },
		"has none":     func(s *feedback.Survey) { s.Questions[1].Choices = []string{"a", "b"} },
		"kind":         func(s *feedback.Survey) { s.Questions[1].Kind = "smileys" },
		"sample":       func(s *feedback.Survey) { s.SampleBP = 10_001 },
		"cadence":      func(s *feedback.Survey) { s.Cadence = -1 },
		"closes": func(s *feedback.Survey) {
			s.Opens = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			s.Closes = s.Opens
		},
		"Checks has no": func(s *feedback.Survey) { s.Exclude = []string{"open case"} },
	} {
		s := nps("s", feedback.Transactional)
		spoil(&s)
		_, err := feedback.New(feedback.Config{Surveys: []feedback.Survey{s}})
		require.ErrorIs(t, err, feedback.ErrInvalid, says)
		assert.ErrorContains(t, err, says)
	}
}

func TestFormChangesWithWhatMakesAnswersComparable(t *testing.T) {
	a := nps("s", feedback.Transactional)
	wording := nps("s", feedback.Transactional)
	wording.Questions[0].Text = "Would you recommend us?"
	assert.Equal(t, a.Form(), wording.Form())
	assert.NotEqual(t, a.Form(), nps("s", feedback.Relational).Form())
	scale := stars("s")
	scale.Questions[0].Scale.Max = 6
	assert.NotEqual(t, stars("s").Form(), scale.Form())
}

func TestSurveyRoundTripsAsJSON(t *testing.T) {
	s := nps("购买", feedback.Transactional)
	s.Brand, s.Cadence, s.Valid, s.MaxAge, s.SampleBP = "b", 90*24*time.Hour, 48*time.Hour, time.Hour, 2500
	s.Audience, s.Exclude = "vip", []string{"open case"}
	s.Opens = time.Date(2026, 1, 1, 0, 0, 0, 1000, time.UTC)
	s.Questions = append(s.Questions, feedback.Question{Key: "c", Kind: feedback.Choice, Choices: []string{"x", "y"}, Several: true})
	b, err := json.Marshal(s)
	require.NoError(t, err)
	assert.Contains(t, string(b), `"format":1`)
	var back feedback.Survey
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, s, back)

	for text, says := range map[string]string{
		`{"format":2,"name":"s","questions":[]}`:                                   "format 2",
		`{"format":1,"name":"s","questions":[],"cadance":"1h"}`:                    "unknown field",
		`{"format":1,"name":"s","questions":[],"cadence":"1 month"}`:               "cadence",
		`{"format":1,"name":"s","questions":[{"key":"q","kind":"nps"}]}`:           "0 to 10",
		`{"format":1,"name":"s","questions":[{"key":"q","kind":"text","x":true}]}`: "unknown field",
	} {
		err := json.Unmarshal([]byte(text), &back)
		require.ErrorIs(t, err, feedback.ErrInvalid, text)
		assert.ErrorContains(t, err, says)
	}
}

func FuzzSurvey(f *testing.F) {
	b, err := json.Marshal(nps("s", feedback.Relational))
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte(`{"format":1,"name":"r","questions":[{"key":"stars","kind":"stars","scale":{"min":1,"max":5,"top":4,"bottom":2}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s feedback.Survey
		if json.Unmarshal(b, &s) != nil {
			return
		}
		require.NoError(t, s.Validate())
		out, err := json.Marshal(s)
		require.NoError(t, err)
		var again feedback.Survey
		require.NoError(t, json.Unmarshal(out, &again))
		require.Equal(t, s, again)
	})
}

func TestBudgetRoundTripsAsJSON(t *testing.T) {
	budget := feedback.Budget{Name: "b", Limit: 2, Window: 30 * day, Brand: "x", Surveys: []string{"s"}}
	b, err := json.Marshal(budget)
	require.NoError(t, err)
	var back feedback.Budget
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, budget, back)
	for _, text := range []string{
		`{"format":1,"name":"b","limit":0,"window":"1h"}`, `{"format":1,"name":"b","limit":1,"window":"x"}`,
		`{"name":"b","limit":1,"window":"1h"}`, `{"format":1,"name":"b","limit":1,"window":"1h","per":1}`,
	} {
		assert.ErrorIs(t, json.Unmarshal([]byte(text), &back), feedback.ErrInvalid, text)
	}
}
