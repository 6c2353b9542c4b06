// Package chart reads charts from anywhere (folders, archives, chart
// repositories, OCI registries, and what a Fetcher brings) into a
// content-addressed store, with their dependencies built in.
//
// (*Chart).WriteTo(dir string) (folder string, err error) unpacks a chart into
// the folder NAME below dir, for the commands that hand out charts.
//
// # Decisions
//
// A chart is its files, not a folder: dependencies that charts/ lacks are added
// in memory, so nothing is written beside the user's Chart.yaml and any number
// of releases may build the same chart at the same time. Only Update writes
// there, which is what it is called for.
//
// Where dependencies are skipped, a chart folder has those that an earlier run
// built for it, unless its declarations changed since: helmfile finds them in
// charts/, where helm dependency build put them then.
//
// HTTP and OCI are spoken by this package and not by Helm's getter and registry
// packages: those take no context, hide the status code in a text and read
// without bounds. Formats stay Helm's: index.yaml, the OCI media types,
// provenance files, repositories.yaml and the registry configuration.
//
// An index is asked for once per store, conditionally where a copy is cached. A
// cached archive is used only under a digest that the index, the registry or
// the user gave, because versions in repositories do get replaced.
package chart
