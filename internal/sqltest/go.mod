module github.com/cxkit/cxkit/internal/sqltest

go 1.26

require github.com/cxkit/cxkit v0.0.0

replace github.com/cxkit/cxkit => ../..
