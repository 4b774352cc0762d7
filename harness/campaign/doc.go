// Package campaign is a run from its plan to its exit code: which programs, on which targets, and everything that is written down on the
// way. The recorder is the supervisor's side: whatever dies, what it has been told is in the journal. It imports generators, harness
// and results.
//
//	plan, err := campaign.NewPlan(campaign.Selection{Groups: []string{"quick"}, Seed: 1})
//	rec, err := campaign.NewRecorder(campaign.Record{Dir: "results", JUnit: "junit.xml"}, header)
//	err = campaign.Run(ctx, soft, plan, targets, rec)
//	code := rec.Finish(results.Missing{}, 0)
package campaign
