-- An event's id counts once, whatever it is used for again: also what was free and left no charge is found by it.
create index seen_impressions_by_impression on seen_impressions (impression_id);
create index seen_impressions_by_click on seen_impressions (click_id) where click_id is not null;

-- When a limit was last changed: what was charged later was charged under the limits that stand. Null: never since the campaign was made.
alter table campaigns add column limits_changed_at timestamptz;
update campaigns set limits_changed_at = updated_at;
