// Package picture shows lock footprints to people: as a table on a terminal, and as a heat map in one HTML page that needs nothing from elsewhere
// and can be sent in a mail. It imports package matrix only.
//
//	all, err := matrix.ReadFile("footprint.json")
//	fmt.Print(picture.Text(all[0], false))
//	err = picture.HTML(file, all)
package picture
