-- An event's id counts once, whatever it is used for again: also what was free and left no charge is found by it.
create index seen_impressions_by_impression on seen_impressions (impression_id);
create index seen_impressions_by_click on seen_impressions (click_id) where click_id is not null;
