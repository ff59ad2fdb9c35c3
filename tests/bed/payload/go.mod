module payload

go 1.24
