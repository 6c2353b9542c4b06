package chart

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"path"
	"path/filepath"
	"strings"

	"helm.sh/helm/v4/pkg/chart/loader/archive"
)

// maxEntries is how many files and folders a packed chart may have. Helm bounds
// their bytes only, and an entry without any costs an attacker next to nothing.
const maxEntries = 20_000

// unpackFiles is Helm's reader of packed charts with a bound on entries, those
// of packed dependencies included. Links that lead out of the chart are errors.
func unpackFiles(data []byte) ([]*archive.BufferedFile, error) {
	if err := checkEntries(data); err != nil {
		return nil, err
	}
	files, err := archive.LoadArchiveFiles(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if strings.HasPrefix(f.Name, "charts/") && path.Ext(f.Name) == ".tgz" {
			if err := checkEntries(f.Data); err != nil {
				return nil, err
			}
		}
	}
	return files, nil
}

// checkEntries leaves it to Helm's reader to tell what is wrong with what is no
// archive.
func checkEntries(data []byte) error {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil
	}
	limit := archive.MaxDecompressedChartSize + maxEntries*4*512
	unpack := tar.NewReader(io.LimitReader(zip, limit))
	for n := 0; ; n++ {
		head, err := unpack.Next()
		if err != nil {
			return nil
		}
		if leadsOut(head) {
			return fail(ErrInvalid, "the packed chart has a link %s that leads out of it", head.Name)
		}
		if n >= maxEntries {
			return fail(ErrInvalid, "the packed chart has more than %d files and folders", maxEntries)
		}
	}
}

// leadsOut reports whether an entry is a link to a place outside of the chart.
// Helm takes every link for an empty file.
func leadsOut(head *tar.Header) bool {
	switch head.Typeflag {
	case tar.TypeSymlink:
		return path.IsAbs(head.Linkname) || !filepath.IsLocal(path.Join(path.Dir(head.Name), head.Linkname))
	case tar.TypeLink:
		return !filepath.IsLocal(head.Linkname)
	default:
		return false
	}
}
