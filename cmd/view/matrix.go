package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/flotilla-sh/flotilla/spec"
)

// Matrix is what runs of every release in every environment.
type Matrix struct {
	Environments []string
	Unseen       []bool // as Environments: nobody could look
	Rows         []MatrixRow
}

// MatrixRow is one release.
type MatrixRow struct {
	Name  string
	Cells []*MatrixCell // as Matrix.Environments; nil: it is not declared there
}

// MatrixCell is a release in one environment.
type MatrixCell struct {
	Release   spec.ReleaseID
	Installed bool
	Status    string // Helm's word
	Chart     string // that is deployed; empty: none is
	Version   string
	Revision  int
	Deployed  time.Time
	Images    []string
	Drift     int // findings
	Unready   int // objects that are not ready
}

// Fill makes the rows of what each environment has, by the names of releases.
func (m *Matrix) Fill(columns []map[string]MatrixCell) {
	names := map[string]bool{}
	for _, column := range columns {
		for name := range column {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		row := MatrixRow{Name: name, Cells: make([]*MatrixCell, len(m.Environments))}
		for i, column := range columns {
			if cell, ok := column[name]; ok {
				row.Cells[i] = &cell
			}
		}
		m.Rows = append(m.Rows, row)
	}
}

// MatrixText prints the matrix with one line for each image, and ages from now.
func MatrixText(m Matrix, now time.Time) string {
	header := []string{"RELEASE"}
	for _, name := range m.Environments {
		header = append(header, strings.ToUpper(name))
	}
	var rows [][]string
	for _, r := range m.Rows {
		columns := make([][]string, len(r.Cells))
		height := 1
		for i, cell := range r.Cells {
			columns[i] = cell.lines(now)
			if cell == nil && i < len(m.Unseen) && m.Unseen[i] {
				columns[i] = []string{"?"}
			}
			height = max(height, len(columns[i]))
		}
		for line := range height {
			row := []string{""}
			if line == 0 {
				row[0] = r.Name
			}
			for _, column := range columns {
				text := ""
				if line < len(column) {
					text = column[line]
				}
				row = append(row, text)
			}
			rows = append(rows, row)
		}
	}
	switch {
	case len(rows) > 0:
	case slices.Contains(m.Unseen, true):
		return "No release could be seen.\n"
	default:
		return "No environment declares a release.\n"
	}
	var b strings.Builder
	Table(&b, header, rows)
	return b.String()
}

// lines tell a cell: the version and its age, what is wrong, the images.
func (c *MatrixCell) lines(now time.Time) []string {
	switch {
	case c == nil:
		return []string{"-"}
	case !c.Installed:
		return []string{"not installed"}
	case c.Chart == "":
		return []string{c.Status}
	}
	first := fmt.Sprintf("%s  %s", c.Version, age(now.Sub(c.Deployed)))
	var wrong []string
	if c.Status != "deployed" {
		wrong = append(wrong, c.Status)
	}
	if c.Drift > 0 {
		wrong = append(wrong, "drifted")
	}
	if c.Unready > 0 {
		wrong = append(wrong, "not ready")
	}
	if len(wrong) > 0 {
		first += "  " + strings.Join(wrong, ", ")
	}
	lines := []string{first}
	for _, image := range c.Images {
		lines = append(lines, "  "+shortImage(image))
	}
	return lines
}

// shortImage leaves out registry and folder, and most of a digest.
func shortImage(ref string) string {
	name, digest, pinned := strings.Cut(ref, "@")
	name = name[strings.LastIndexByte(name, '/')+1:]
	if pinned {
		const shown = len("sha256:") + 12
		name += "@" + digest[:min(len(digest), shown)]
	}
	return name
}

// age words how long ago something was, in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours())/24)
	}
}

type jsonMatrix struct {
	jsonHeader
	Environments []string        `json:"environments"`
	Unseen       []string        `json:"unseen,omitempty"` // environments of which not all could be seen
	Releases     []jsonMatrixRow `json:"releases"`
}

type jsonMatrixRow struct {
	Name  string                    `json:"name"`
	Cells map[string]jsonMatrixCell `json:"environments"`
}

type jsonMatrixCell struct {
	Release    jsonID     `json:"release"`
	Installed  bool       `json:"installed"`
	Status     string     `json:"status,omitempty"`
	Chart      string     `json:"chart,omitempty"`
	Version    string     `json:"version,omitempty"`
	Revision   int        `json:"revision,omitempty"`
	Deployed   *time.Time `json:"deployed,omitempty"`
	AgeSeconds int        `json:"ageSeconds,omitempty"`
	Images     []string   `json:"images,omitempty"`
	Drift      int        `json:"drift"`
	NotReady   int        `json:"notReady"`
}

// MatrixJSON is the form that --output json prints.
func MatrixJSON(m Matrix, now time.Time) any {
	out := jsonMatrix{jsonHeader: jsonHeader{Type: "promotion-status", Schema: Schema, Time: now.UTC()}, Environments: m.Environments, Releases: []jsonMatrixRow{}}
	for i, unseen := range m.Unseen {
		if unseen {
			out.Unseen = append(out.Unseen, m.Environments[i])
		}
	}
	for _, r := range m.Rows {
		row := jsonMatrixRow{Name: r.Name, Cells: map[string]jsonMatrixCell{}}
		for i, c := range r.Cells {
			if c == nil {
				continue
			}
			cell := jsonMatrixCell{
				Release: idOf(c.Release), Installed: c.Installed, Status: c.Status, Chart: c.Chart, Version: c.Version,
				Revision: c.Revision, Images: c.Images, Drift: c.Drift, NotReady: c.Unready,
			}
			if !c.Deployed.IsZero() {
				at := c.Deployed.UTC()
				cell.Deployed, cell.AgeSeconds = &at, int(now.Sub(c.Deployed).Seconds())
			}
			row.Cells[m.Environments[i]] = cell
		}
		out.Releases = append(out.Releases, row)
	}
	return out
}
