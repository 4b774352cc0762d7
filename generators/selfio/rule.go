package selfio

// refused says why the combination means nothing, "" when it does.
func (c params) refused() string {
	for _, rule := range []func(params) string{params.refusedMode, params.refusedStuffed, params.refusedPlace, params.refusedWarm} {
		if reason := rule(c); reason != "" {
			return reason
		}
	}
	return ""
}

func (c params) refusedMode() string {
	switch {
	case c.reads && c.mode == "sync":
		return "O_SYNC changes nothing for a read"
	case c.reads && c.mode == "append":
		return "O_APPEND changes nothing for a read"
	case c.mode == "append" && c.to != "beyond":
		return "an append begins at the end of the file"
	case c.mode == "append":
		return c.refusedAppend()
	}
	return ""
}

func (c params) refusedAppend() string {
	switch {
	case c.place == "backwards":
		return "an append is behind its source"
	case c.place == "forwards" && c.from != "across" && c.from != "stuffed":
		return "an append overlaps only a source across the end of the file"
	case c.place != "forwards" && c.from == "across":
		return "an append overlaps a source across the end of the file"
	case c.place != "other-page" && c.from == "beyond":
		return "what is behind the end of the file is on another page"
	case c.place == "other-page" && c.from == "stuffed":
		return "a stuffed file has one page"
	case c.place == "same-page" && (c.shape == "aligned" || c.shape == "many-pages"):
		return "an append to whole pages begins a new page"
	case c.place == "forwards" && c.shape == "straddling":
		return "an append at a page boundary is on another page"
	}
	return ""
}

func (c params) refusedStuffed() string {
	stuffed := c.from == "stuffed" || c.to == "stuffed"
	switch {
	case !stuffed:
		return ""
	case c.shape == "straddling" || c.shape == "many-pages":
		return "a stuffed file has one page"
	case c.shape == "aligned" && c.overlaps():
		return "a stuffed file has one page"
	case c.place == "whole" && c.shape == "aligned":
		return "the whole stuffed file is less than a page"
	case c.mode == "append":
		return c.refusedStuffedAppend()
	case c.from == c.to && c.place == "other-page":
		return "a stuffed file has one page"
	case c.from != c.to && c.place != "other-page":
		return "what is behind the end of the file is on another page"
	}
	return ""
}

func (c params) refusedStuffedAppend() string {
	if c.shape == "aligned" {
		return "a stuffed file has less than a page to append"
	}
	return ""
}

func (c params) refusedPlace() string {
	partial := c.shape == "straddling" || c.shape == "sub-page"
	switch {
	case c.from == "stuffed" || c.to == "stuffed" || c.mode == "append":
		return ""
	case c.place == "other-page" && c.from == "across" && c.to == "across":
		return "one end of the file is not on two pages"
	case c.place == "other-page":
		return ""
	case c.from == "beyond" || c.to == "beyond":
		return "what is behind the end of the file is on another page"
	case (c.place == "same-page" || c.place == "whole") && c.from != c.to:
		return "one range holds one kind of data"
	case c.place == "whole" && c.from == "across" && partial:
		return "the whole file across its end is tried with whole pages"
	case !c.overlaps() || c.from == c.to:
		return ""
	case c.place == "forwards" && c.from == "across" || c.place == "backwards" && c.to == "across":
		return "the end of the file is in the range that ends last"
	case partial && (c.from == "hole" || c.from == "unwritten" || c.to == "hole" || c.to == "unwritten"):
		return "one page holds one kind of data"
	}
	return ""
}

func (c params) refusedWarm() string {
	writeWarm := c.warm == "dirty" && c.share == "shared"
	onePage := c.shape == "aligned" && !c.overlaps() && c.place != "whole" || c.shape == "sub-page"
	switch {
	case c.warm == "cold":
		return ""
	case c.memory() == "beyond":
		return "pages behind the end of the file cannot be warm"
	case c.reads && c.from == "beyond":
		return "a read that moves nothing is tried with a cold buffer"
	case c.warm == "first-warm" && onePage:
		return "the first page of one is all of them"
	case writeWarm && (c.memory() == "hole" || c.memory() == "unwritten"):
		return "a store makes data of a hole"
	}
	return ""
}
