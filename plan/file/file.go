// Package file is the format of saved plans: one file with the plan and the
// charts that it needs, which says its version and is refused when a byte of it
// is missing or another one.
//
// The file begins with two lines of text, the version of the format and a
// digest of all else. A tar archive follows: plan.json.gz, and the archive of
// each chart under charts/. The digest finds damage; it is no signature.
package file

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/flotilla-sh/flotilla/plan"
)

// Version is the version of the format that this program writes, and the only
// one that it reads.
const Version = 3

// The ways in which a file is refused.
var (
	ErrNoPlan  = errors.New("it is no plan that flotilla saved")
	ErrVersion = errors.New("it has another version of the format")
	ErrDamaged = errors.New("it is damaged: it is not what was saved")
)

const (
	magic     = "flotilla plan "
	planEntry = "plan.json.gz"
	chartsDir = "charts/"

	// maxPlan bounds the plan, and all charts together, when they are decompressed.
	maxPlan = 512 << 20
)

// MaxSize bounds a file; Read refuses a larger one before it is in memory.
const MaxSize = 1 << 30

// Pack makes the bytes of a file. charts are archives by digest, all that
// s.Charts lists. Equal plans give equal bytes.
func Pack(s *plan.Saved, charts map[string][]byte) ([]byte, error) {
	encoded, err := plan.Encode(s)
	if err != nil {
		return nil, err
	}
	if len(encoded) > maxPlan {
		return nil, fmt.Errorf("compressing the plan: %w", errTooLarge)
	}
	var zipped bytes.Buffer
	zip := gzip.NewWriter(&zipped)
	if _, err := zip.Write(encoded); err != nil {
		return nil, fmt.Errorf("compressing the plan: %w", err)
	}
	if err := zip.Close(); err != nil {
		return nil, fmt.Errorf("compressing the plan: %w", err)
	}
	entries := []entry{{planEntry, zipped.Bytes()}}
	for _, digest := range s.Charts() {
		archive, ok := charts[digest]
		if !ok {
			return nil, fmt.Errorf("packing the plan: chart %s is not there", digest)
		}
		entries = append(entries, entry{chartsDir + digest, archive})
	}
	body, err := tarred(entries)
	if err != nil {
		return nil, fmt.Errorf("packing the plan: %w", err)
	}
	first := magic + strconv.Itoa(Version) + "\n"
	return slices.Concat([]byte(first), []byte(digestOf(first, body)+"\n"), body), nil
}

type entry struct {
	name string
	data []byte
}

func tarred(entries []entry) ([]byte, error) {
	var out bytes.Buffer
	pack := tar.NewWriter(&out)
	for _, e := range entries {
		if err := pack.WriteHeader(&tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.data)), Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := pack.Write(e.data); err != nil {
			return nil, err
		}
	}
	if err := pack.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func digestOf(first string, body []byte) string {
	sum := sha256.New()
	io.WriteString(sum, first) // a hash never fails
	sum.Write(body)
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

var errTooLong = fmt.Errorf("%w: it has more than %d MiB", ErrNoPlan, MaxSize>>20)

var errTooLarge = fmt.Errorf("it holds more than %d MiB", maxPlan>>20)

// Read reads a file without taking it apart: what begins like no plan, encrypted
// or not, is ErrNoPlan, however large it is.
func Read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() && info.Size() > MaxSize {
		return nil, errTooLong
	}
	head := make([]byte, max(len(magic), len(ageMagic)))
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	head = head[:n]
	if !bytes.HasPrefix(head, []byte(magic)) && !bytes.HasPrefix(head, []byte(ageMagic)) {
		return nil, ErrNoPlan
	}
	data, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(head), f), MaxSize+1))
	if err == nil && len(data) > MaxSize {
		err = errTooLong
	}
	return data, err
}

// Unpack reads what Pack made. Its errors are ErrNoPlan, ErrVersion and
// ErrDamaged, each with what the user can do.
func Unpack(data []byte) (*plan.Saved, map[string][]byte, error) {
	first, rest, ok := strings.Cut(string(data[:min(len(data), 200)]), "\n")
	number, isPlan := strings.CutPrefix(first, magic)
	version, err := strconv.Atoi(number)
	if !isPlan || err != nil {
		return nil, nil, ErrNoPlan
	}
	if version != Version {
		return nil, nil, fmt.Errorf("%w: %d, and this program reads %d; apply it with the version of flotilla that saved it, or plan anew", ErrVersion, version, Version)
	}
	digest, _, whole := strings.Cut(rest, "\n")
	if !ok || !whole {
		return nil, nil, damaged(nil)
	}
	body := data[len(first)+len(digest)+2:]
	if digestOf(first+"\n", body) != digest {
		return nil, nil, damaged(nil)
	}
	s, charts, err := untarred(body)
	if err != nil {
		return nil, nil, damaged(err)
	}
	needed := s.Charts()
	for _, digest := range needed {
		if charts[digest] == nil {
			return nil, nil, damaged(fmt.Errorf("chart %s is not in it", digest))
		}
	}
	if len(charts) > len(needed) {
		return nil, nil, damaged(fmt.Errorf("it has %d charts, and needs %d", len(charts), len(needed)))
	}
	return s, charts, nil
}

func damaged(why error) error {
	const advice = "copy it once more, or plan anew"
	if why == nil {
		return fmt.Errorf("%w; %s", ErrDamaged, advice)
	}
	return fmt.Errorf("%w: %w; %s", ErrDamaged, why, advice)
}

func untarred(body []byte) (*plan.Saved, map[string][]byte, error) {
	entries := map[string][]byte{}
	pack := tar.NewReader(bytes.NewReader(body))
	left := int64(len(body)) // an entry with holes says that it is larger than what is there
	for {
		head, err := pack.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if left -= head.Size; left < 0 || head.Typeflag != tar.TypeReg || entries[head.Name] != nil {
			return nil, nil, fmt.Errorf("the entry %q is none that is saved", head.Name)
		}
		if entries[head.Name], err = io.ReadAll(pack); err != nil {
			return nil, nil, err
		}
	}
	encoded, err := unzipped(entries[planEntry])
	if err != nil {
		return nil, nil, err
	}
	s, err := plan.Decode(encoded)
	if err != nil {
		return nil, nil, err
	}
	charts := map[string][]byte{}
	room := int64(maxPlan)
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		digest, ok := strings.CutPrefix(name, chartsDir)
		if !ok {
			continue
		}
		if room -= unzippedSize(entries[name], room); room < 0 {
			return nil, nil, errTooLarge
		}
		charts[digest] = entries[name]
	}
	return s, charts, nil
}

// unzippedSize counts the bytes of a packed chart, as far as they are within a
// bound. Whoever unpacks it tells what is wrong with one that is none.
func unzippedSize(data []byte, bound int64) int64 {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return 0
	}
	n, _ := io.Copy(io.Discard, io.LimitReader(zip, bound+1))
	return n
}

func unzipped(data []byte) ([]byte, error) {
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	plain, err := io.ReadAll(io.LimitReader(zip, maxPlan+1))
	if err == nil && len(plain) > maxPlan {
		err = errTooLarge
	}
	return plain, err
}
