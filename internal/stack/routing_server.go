package stack

import (
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/hearth-monitoring/hearth/api/v1alpha1"
	"github.com/hearth-monitoring/hearth/internal/amconfig"
)

// AlertmanagerName is the name of what is made for the Alertmanager of a PrometheusServer, its ServiceAccount too.
func AlertmanagerName(server string) string { return "alertmanager-" + server }

// server resolves the server's own part, which has to be right as a whole.
func (r *resolver) server(path *field.Path) field.ErrorList {
	errs := r.serverReceivers(path.Child("receivers"))
	errs = append(errs, r.serverRoute(path.Child("route"))...)
	for i, declared := range r.alerting.InhibitRules {
		rule, err := amconfig.NewInhibitRule(declared)
		if err != nil {
			errs = append(errs, field.Invalid(path.Child("inhibitRules").Index(i), "", err.Error()))
		}
		r.out.Config.InhibitRules = append(r.out.Config.InhibitRules, rule)
	}
	for _, t := range r.alerting.TimeIntervals {
		if err := amconfig.CheckTimeInterval(t); err != nil {
			errs = append(errs, field.Invalid(path.Child("timeIntervals").Key(t.Name), "", err.Error()))
		}
	}
	for _, t := range r.alerting.Templates {
		if err := amconfig.CheckTemplate(t); err != nil {
			errs = append(errs, field.Invalid(path.Child("templates").Key(t.Name).Child("text"), "", err.Error()))
		}
	}
	r.out.Config.TimeIntervals, r.out.Config.Templates = r.alerting.TimeIntervals, r.alerting.Templates
	return errs
}

func (r *resolver) serverReceivers(path *field.Path) field.ErrorList {
	var errs field.ErrorList
	for i := range r.alerting.Receivers {
		declared := &r.alerting.Receivers[i]
		at := path.Key(declared.Name)
		if declared.Name == amconfig.Nobody {
			errs = append(errs, field.Invalid(at, declared.Name, "is the receiver that tells nobody, which is there already: use another name"))
			continue
		}
		r.known[declared.Name] = ""
		receiver, err := amconfig.ServerReceiver(declared)
		if err != nil {
			errs = append(errs, field.Invalid(at, "", err.Error()))
			continue
		}
		r.out.Config.Receivers = append(r.out.Config.Receivers, receiver)
		for secret, keys := range receiver.Secrets {
			all := append(r.out.Mounted[secret], keys...)
			slices.Sort(all)
			r.out.Mounted[secret] = slices.Compact(all)
		}
	}
	r.known[amconfig.Nobody] = ""
	return errs
}

func (r *resolver) serverRoute(path *field.Path) field.ErrorList {
	route := r.alerting.Route
	if route == nil {
		route = &v1alpha1.Route{}
	}
	var errs field.ErrorList
	if err := amconfig.CheckGrouping(route.Grouping); err != nil {
		errs = append(errs, field.Invalid(path, "", err.Error()))
	}
	if route.Receiver != "" {
		errs = append(errs, r.serverNames(path.Child("receiver"), route.Receiver)...)
	}
	r.out.Config.Route = amconfig.RootRoute{Receiver: route.Receiver, Grouping: route.Grouping}
	for i, declared := range route.Routes {
		at := path.Child("routes").Index(i)
		entry, err := amconfig.NewEntry(declared)
		if err != nil {
			errs = append(errs, field.Invalid(at, "", err.Error()))
			continue
		}
		errs = append(errs, r.serverNames(at.Child("receiver"), declared.Receiver)...)
		if problem := r.intervals(entry); problem != "" {
			errs = append(errs, field.Invalid(at, "", problem))
		}
		r.out.Config.Route.Entries = append(r.out.Config.Route.Entries, entry)
	}
	return errs
}

func (r *resolver) serverNames(path *field.Path, receiver string) field.ErrorList {
	if _, ok := r.known[receiver]; ok {
		return nil
	}
	return field.ErrorList{field.Invalid(path, receiver, "is unknown: alerting.receivers has none of this name")}
}
