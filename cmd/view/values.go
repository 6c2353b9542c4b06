package view

import (
	"github.com/flotilla-sh/flotilla/executor"
	"github.com/flotilla-sh/flotilla/plan"
)

// Schema is the version of what FormatJSON prints.
const Schema = schema

// PlanValue is what FormatJSON tells of a plan, without type, schema and time:
// a value for an encoder of JSON.
func PlanValue(p *plan.Plan, opts PlanOptions) any { return planOf(p, opts) }

// ReplanValue is the same of a plan that was made anew.
func ReplanValue(r plan.Renewals, opts PlanOptions) any { return replanOf(r, opts) }

// ReportValue is the same of how a run went.
func ReportValue(r executor.Report, mode plan.Mode) any { return reportOf(r, mode) }
