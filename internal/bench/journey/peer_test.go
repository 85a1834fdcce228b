package journey

import (
	_ "github.com/cxkit/cxkit/journey"
	_ "github.com/looplab/fsm"
	_ "github.com/qmuntal/stateless"
	_ "github.com/riverqueue/river"
	_ "github.com/riverqueue/river/riverdriver/riversqlite"
	_ "github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite"
)
