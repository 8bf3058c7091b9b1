package dashboards

// choice lets somebody choose a Prometheus. Everything else on a dashboard is asked of it.
func choice() variable {
	return variable{Name: "datasource", Type: "datasource", Label: "Prometheus", Query: "prometheus", Refresh: 1,
		Description: "The Prometheus that is asked."}
}

// values of a label are offered, and all of them are chosen at first: also where a series has no such label.
func values(name, label, series string) variable {
	v := one(name, label, series)
	v.Multi, v.IncludeAll, v.AllValue, v.Current = true, true, ".*", &current{Text: "All", Value: "$__all"}
	return v
}

// one of the values of a label is chosen, the first at first.
func one(name, label, series string) variable {
	asked := "label_values(" + series + ", " + name + ")"
	ds := prom()
	return variable{Name: name, Type: "query", Label: label, Datasource: &ds, Query: asked, Refresh: 2, Sort: 1}
}

// cluster is there for a Prometheus that many others send to. One that scrapes has no such label, and shows none to choose.
func cluster(series string) variable {
	v := values("cluster", "Cluster", series)
	v.Description = "From an external label of the servers that send to this one."
	return v
}
