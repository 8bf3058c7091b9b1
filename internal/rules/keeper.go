package rules

import (
	"strings"

	"github.com/hearth-monitoring/hearth/internal/bundle"
)

// Keeper confines rule files, and remembers what became of which: of ten thousand, an edit is about one. The zero value is
// ready; one goroutine at a time.
type Keeper struct {
	// kept is by path.
	kept map[string]keptFile
}

// keptFile is what became of a file.
type keptFile struct {
	from    *bundle.Content
	home    Home
	to      bundle.File
	problem string
}

// File is the file with its rules confined, or why that can't be.
func (k *Keeper) File(file bundle.File, home Home) (bundle.File, string) {
	if known, ok := k.kept[file.Path]; ok && known.home == home {
		if known.from.Equal(file.Content) {
			return known.to, known.problem
		}
		// What is published is what was made here before.
		if known.problem == "" && known.to.Content.Equal(file.Content) {
			return known.to, ""
		}
	}
	made := keptFile{from: file.Content, home: home}
	text, err := file.Content.Text()
	if err != nil {
		made.problem = err.Error()
	} else if confined, problems := Confined(text, home); len(problems) > 0 {
		made.problem = strings.Join(problems, "\n")
	} else {
		made.to = bundle.File{Path: file.Path, Content: bundle.NewContent(confined), Rules: file.Rules}
		if problem := fits(File{Path: file.Path, Text: confined}, "an AlertRule"); problem != "" {
			made.to, made.problem = bundle.File{}, problem
		}
	}
	if k.kept == nil {
		k.kept = map[string]keptFile{}
	}
	k.kept[file.Path] = made
	return made.to, made.problem
}

// Keep forgets all files but these.
func (k *Keeper) Keep(paths map[string]bool) {
	for path := range k.kept {
		if !paths[path] {
			delete(k.kept, path)
		}
	}
}
